import { type Arrow, assignLayers } from './layers.js';
import { orderLayers } from './order.js';
import { findPositions } from './positions.js';
import { type Line, layTracks } from './tracks.js';

/** The size of something that is to be placed. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface LayoutEdge extends Arrow {
  readonly group: string;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** A piece of an edge that is to be drawn, downwards: straight until `turn`, which is below its layer, then over to `end`. */
export interface Stroke {
  readonly start: Point;
  readonly turn: number;
  readonly end: Point;
  readonly group: string;
  /** The boxes that it begins and ends at; undefined in the middle of an edge. */
  readonly upper: number | undefined;
  readonly lower: number | undefined;
  /** The only edge it belongs to; undefined where several run together. */
  readonly edge: number | undefined;
  /** Does the edge lead against the direction of the stroke? */
  readonly isUpwards: boolean;
}

export interface Layout extends Size {
  /** The middle of each box. */
  readonly places: readonly Point[];
  readonly strokes: readonly Stroke[];
}

const gapBetweenBoxes = 24;
const gapAtBend = 12;
const gapBetweenLayers = 64;
/** Tells lines that lead upwards from others of their group, which they must not share their tracks with. */
const upwards = ' upwards';

/**
 * Places boxes in layers so that edges lead downwards, few cross, and no two boxes overlap. The same input gives the
 * same picture. The time is about proportional to the number of boxes and edges.
 */
export function layOut(boxes: readonly Size[], edges: readonly LayoutEdge[]): Layout {
  // Boxes are about twice as wide as a layer is high: so the whole is a little wider than high.
  const mostInLayer = Math.max(10, Math.ceil(1.3 * Math.sqrt(boxes.length)));
  const { layerOf: layerOfBoxes, isUpwards } = assignLayers(boxes.length, edges, mostInLayer);
  const lines = edges.map(({ from, to, group }, index): Line => {
    const [upper, lower] = isUpwards[index] ? [to, from] : [from, to];
    return { upper, lower, group: isUpwards[index] ? `${group}${upwards}` : group };
  });
  const { layerOf, pieces, direct } = layTracks(layerOfBoxes, lines, 20_000 + 2 * boxes.length);
  const sweeps = layerOf.length > 5_000 ? 4 : 16;
  const layers = orderLayers(layerOf, pieces, sweeps);
  const isBend = (thing: number) => thing >= boxes.length;
  const width = (thing: number) => boxes[thing]?.width ?? 0;
  const apart = (left: number, right: number) =>
    (width(left) + width(right)) / 2 + (isBend(left) || isBend(right) ? gapAtBend : gapBetweenBoxes);
  const positions = findPositions(layers, pieces, apart, isBend, sweeps);

  const leftmost = layers.map(([first = 0]) => (positions[first] ?? 0) - width(first) / 2);
  const left = leftmost.reduce((one, other) => Math.min(one, other), Number.POSITIVE_INFINITY);
  const x = (thing: number) => round((positions[thing] ?? 0) - left);
  const rows: { readonly top: number; readonly bottom: number }[] = [];
  let height = 0;
  for (const layer of layers) {
    const tallest = layer.reduce((most, thing) => Math.max(most, boxes[thing]?.height ?? 0), 0);
    rows.push({ top: height, bottom: height + tallest });
    height += tallest + gapBetweenLayers;
  }
  const row = (thing: number) => rows[layerOf[thing] ?? 0] ?? { top: 0, bottom: 0 };
  const middle = (thing: number) => (row(thing).top + row(thing).bottom) / 2;
  const half = (thing: number) => (boxes[thing]?.height ?? 0) / 2;
  const box = (thing: number) => (isBend(thing) ? undefined : thing);
  const stroke = ({ upper, lower, group }: Line, edge: number | undefined): Stroke => ({
    start: { x: x(upper), y: isBend(upper) ? row(upper).bottom : middle(upper) + half(upper) },
    turn: row(upper).bottom,
    end: { x: x(lower), y: isBend(lower) ? row(lower).top : middle(lower) - half(lower) },
    group: group.replace(upwards, ''),
    upper: box(upper),
    lower: box(lower),
    edge,
    isUpwards: group.endsWith(upwards),
  });
  /** The line through the layer of a bend. */
  const passing = (bend: number, group: string): Stroke => {
    const { top, bottom } = row(bend);
    const along = stroke({ upper: bend, lower: bend, group }, undefined);
    return { ...along, start: { x: x(bend), y: top }, turn: bottom, end: { x: x(bend), y: bottom } };
  };
  const bends = new Map(
    pieces.flatMap(({ upper, lower, group }) => [upper, lower].filter(isBend).map((bend) => [bend, group])),
  );
  const strokes = [
    ...pieces.map((piece) => stroke(piece, piece.line)),
    ...[...bends].map(([bend, group]) => passing(bend, group)),
    ...direct.map((index) => stroke(lines[index] as Line, index)),
  ];
  const rightmost = layers.map((layer) => {
    const last = layer.at(-1);
    return last === undefined ? 0 : x(last) + width(last) / 2;
  });
  return {
    width: rightmost.reduce((one, other) => Math.max(one, other), 0),
    height: Math.max(0, height - gapBetweenLayers),
    places: boxes.map((_box, index) => ({ x: x(index), y: middle(index) })),
    strokes,
  };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
