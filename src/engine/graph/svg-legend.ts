import { type GraphNode, linkTypes, type ProvenanceGraph } from './graph.js';
import type { Size } from './layout/layout.js';
import { inks, linkStyles, styleOf } from './style.js';
import { element, type Markup, text } from './svg-markup.js';

const heights = { row: 22 };
const step = { sample: 40, letter: 7, gap: 22 };

/** What the shapes, colours and lines of this graph mean: one row for nodes, one for links. */
export function legend({ nodes, edges }: ProvenanceGraph): Size & { readonly drawing: readonly Markup[] } {
  const kinds = new Map(nodes.map((node) => [node.node === 'process' ? node.kind : node.type, node]));
  const types = new Set(edges.map(({ type }) => type));
  const rows = [
    row([...kinds].map(([name, node]) => [name, nodeSample(node)] as const)),
    row(linkTypes.filter((type) => types.has(type)).map((type) => [type, linkSample(type)] as const)),
  ].filter(({ drawing }) => drawing.length > 0);
  return {
    width: Math.max(...rows.map(({ width }) => width)),
    height: rows.length * heights.row,
    drawing: rows.map(({ drawing }, index) =>
      element('g', { transform: `translate(0 ${index * heights.row})` }, drawing),
    ),
  };
}

function row(samples: readonly (readonly [string, Markup])[]): { width: number; drawing: Markup[] } {
  let x = 0;
  const drawing = samples.map(([name, sample]) => {
    const drawn = element(
      'g',
      { transform: `translate(${x} 0)` },
      sample,
      element('text', { x: step.sample, y: 15, 'font-size': 11, fill: inks.quiet }, text(name)),
    );
    x += step.sample + name.length * step.letter + step.gap;
    return drawn;
  });
  return { width: x, drawing };
}

function nodeSample(node: GraphNode): Markup {
  const { fill, border } = styleOf(node);
  const outline = { fill, stroke: border, 'stroke-width': 1.4 };
  return node.node === 'process'
    ? element('rect', { x: 2, y: 4, width: 30, height: 14, rx: 4, ...outline })
    : element('ellipse', { cx: 17, cy: 11, rx: 15, ry: 7, ...outline });
}

function linkSample(type: (typeof linkTypes)[number]): Markup {
  const { colour, width, dashes } = linkStyles[type];
  return element('path', {
    d: 'M2 11H32',
    fill: 'none',
    stroke: colour,
    'stroke-width': width,
    'stroke-dasharray': dashes,
    'marker-end': `url(#arrow-${type})`,
  });
}
