import { type GraphEdge, type GraphNode, isOfClass, linkTypes, type ProvenanceGraph } from './graph.js';
import { type LayoutEdge, layOut, type Point, type Size, type Stroke } from './layout/layout.js';
import { detailsOf, isTrouble, linesOf } from './node-text.js';
import { inks, linkStyles, pale, styleOf } from './style.js';
import { legend } from './svg-legend.js';
import { element, type Markup, text } from './svg-markup.js';
import { cutToFit, oneLine } from './text.js';

const margin = 24;
const processSize: Size = { width: 196, height: 58 };
const dataSize: Size = { width: 148, height: 44 };
/** Where there are more edges than this, their names are shown only to those who point at them. */
const mostNamedEdges = 300;

/** The graph as a picture that needs nothing else: one document, without scripts or references. */
export function toSvg(graph: ProvenanceGraph, highlight?: string): string {
  const indexOf = new Map(graph.nodes.map(({ key }, index) => [key, index]));
  const edges = graph.edges.map(
    ({ type, from, to }): LayoutEdge => ({
      from: indexOf.get(from) ?? 0,
      to: indexOf.get(to) ?? 0,
      group: type,
      mayPointBack: type === 'return',
    }),
  );
  const layout = layOut(graph.nodes.map(sizeOf), edges);
  const isPale = (node: GraphNode) => highlight !== undefined && !isOfClass(node, highlight);
  const strokes = layout.strokes.map((stroke) => drawStroke(stroke, graph.edges, highlight !== undefined));
  const isNamed = graph.edges.length <= mostNamedEdges;
  const names = isNamed ? layout.strokes.map((stroke) => drawName(stroke, graph)) : [];
  const nodes = graph.nodes.map((node, index) =>
    drawNode(node, layout.places[index] ?? { x: 0, y: 0 }, isPale(node), node.key === graph.start),
  );
  const key = legend(graph);
  const width = Math.ceil(Math.max(layout.width, key.width) + 2 * margin);
  const height = Math.ceil(layout.height + key.height + 3 * margin);
  const shift = margin + Math.max(0, (key.width - layout.width) / 2);
  const { markup } = element(
    'svg',
    {
      xmlns: 'http://www.w3.org/2000/svg',
      width,
      height,
      viewBox: `0 0 ${width} ${height}`,
      'font-family': 'sans-serif',
      'font-size': 12,
      role: 'img',
    },
    element('title', {}, text(titleOf(graph))),
    element('defs', {}, arrowHeads(highlight !== undefined)),
    element('rect', { width: '100%', height: '100%', fill: '#ffffff' }),
    element('g', { transform: `translate(${shift} ${margin})` }, strokes, nodes, names),
    element('g', { transform: `translate(${margin} ${height - margin - key.height})` }, key.drawing),
  );
  return `${markup}\n`;
}

function sizeOf(node: GraphNode): Size {
  return node.node === 'process' ? processSize : dataSize;
}

function titleOf({ nodes, start }: ProvenanceGraph): string {
  const node = nodes.find(({ key }) => key === start);
  return node?.node === 'process' ? oneLine(`process ${node.id}: ${node.name} ${node.label}`) : 'processes and data';
}

function arrowHeads(isPale: boolean): Markup[] {
  return linkTypes.map((type) =>
    element(
      'marker',
      {
        id: `arrow-${type}`,
        viewBox: '0 0 8 8',
        refX: 7.5,
        refY: 4,
        markerWidth: 8,
        markerHeight: 8,
        markerUnits: 'userSpaceOnUse',
        orient: 'auto',
      },
      element('path', { d: 'M0 0L8 4L0 8z', fill: isPale ? pale.border : linkStyles[type].colour }),
    ),
  );
}

function drawStroke(stroke: Stroke, edges: readonly GraphEdge[], isPale: boolean): Markup {
  const { start, end, turn, edge: index, isUpwards } = stroke;
  const edge = index === undefined ? undefined : edges[index];
  const type = stroke.group as GraphEdge['type'];
  const { colour, width, dashes } = linkStyles[type];
  const [x1, x2] = [start.x + sideOf(stroke.upper, type), end.x + sideOf(stroke.lower, type)];
  const middle = (turn + end.y) / 2;
  const straight = start.y === turn ? '' : isUpwards ? `V${start.y}` : `V${turn}`;
  const path = isUpwards
    ? `M${x2} ${end.y}C${x2} ${middle} ${x1} ${middle} ${x1} ${turn}${straight}`
    : `M${x1} ${start.y}${straight}C${x1} ${middle} ${x2} ${middle} ${x2} ${end.y}`;
  const arrives = (isUpwards ? stroke.upper : stroke.lower) !== undefined;
  return element(
    'path',
    {
      d: end.y === turn ? `M${x1} ${start.y}V${end.y}` : path,
      fill: 'none',
      stroke: isPale ? pale.border : colour,
      'stroke-width': width,
      'stroke-dasharray': dashes,
      'marker-end': arrives ? `url(#arrow-${type})` : undefined,
    },
    edge === undefined ? [] : [element('title', {}, text(`${type} ${oneLine(edge.labels.join(', '))}`.trim()))],
  );
}

/** Two links between the same two nodes must not lie on each other. */
function sideOf(box: number | undefined, type: GraphEdge['type']): number {
  return box !== undefined && type === 'return' ? 8 : 0;
}

/** The names of an edge, nearer to its data, where fewer edges meet than at a process. */
function drawName(stroke: Stroke, { edges }: ProvenanceGraph): Markup {
  const edge = stroke.edge === undefined ? undefined : edges[stroke.edge];
  if (edge === undefined || edge.labels.length === 0) return text('');
  const dataIsUpper = (edge.type === 'input') !== stroke.isUpwards;
  const dataEnd = dataIsUpper ? stroke.upper : stroke.lower;
  const along = dataEnd === undefined ? 0.5 : dataIsUpper ? 0.3 : 0.7;
  const type = stroke.group as GraphEdge['type'];
  const from = stroke.start.x + sideOf(stroke.upper, type);
  const to = stroke.end.x + sideOf(stroke.lower, type);
  // A point of the curve, whose ends are vertical and whose control points are half-way down.
  const rest = 1 - along;
  const x = from + (to - from) * along * along * (3 - 2 * along);
  const y = stroke.turn + (stroke.end.y - stroke.turn) * (1.5 * along * rest + along ** 3);
  return element(
    'text',
    {
      x: rounded(x),
      y: rounded(y + 3),
      'font-size': 9,
      'text-anchor': 'middle',
      fill: inks.quiet,
      stroke: '#ffffff',
      'stroke-width': 3,
      'paint-order': 'stroke',
    },
    text(cutToFit(edge.labels.join(', '), 110, 9)),
  );
}

function drawNode(node: GraphNode, { x, y }: Point, isPale: boolean, isStart: boolean): Markup {
  const { width, height } = sizeOf(node);
  const { fill, border } = isPale ? pale : styleOf(node);
  const outline = { fill, stroke: isStart ? inks.start : border, 'stroke-width': isStart ? 4 : 1.4 };
  const shape =
    node.node === 'process'
      ? element('rect', { x: -width / 2, y: -height / 2, width, height, rx: 9, ...outline })
      : element('ellipse', { rx: width / 2, ry: height / 2, ...outline });
  const lines = linesOf(node);
  const [room, step] = node.node === 'process' ? [width - 20, 16] : [width - 34, 15];
  const first = (-(lines.length - 1) * step) / 2 + 4;
  const written = lines.map((line, index) => {
    const isLast = index === lines.length - 1;
    const ink = isLast && isTrouble(node) ? inks.trouble : index === 0 ? inks.text : inks.quiet;
    return element(
      'text',
      {
        y: first + index * step,
        'text-anchor': 'middle',
        'font-size': index === 0 ? 12 : 11,
        'font-weight': index === 0 && node.node === 'process' ? 'bold' : undefined,
        fill: isPale ? pale.text : ink,
      },
      text(cutToFit(line, room, index === 0 ? 12.6 : 11)),
    );
  });
  return element(
    'g',
    { transform: `translate(${x} ${y})` },
    element('title', {}, text(detailsOf(node).map(oneLine).join('\n'))),
    shape,
    written,
  );
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
