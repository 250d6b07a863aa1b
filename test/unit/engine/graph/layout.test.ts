import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Layout, type LayoutEdge, layOut, type Size } from '../../../../src/engine/graph/layout/layout.js';
import { layTracks } from '../../../../src/engine/graph/layout/tracks.js';

const box: Size = { width: 100, height: 40 };
const boxesOf = (count: number): Size[] =>
  Array.from({ length: count }, (_, index) => (index % 2 === 0 ? box : { width: 60, height: 70 }));
const edge = (from: number, to: number, group = 'input'): LayoutEdge => ({
  from,
  to,
  group,
  mayPointBack: group === 'return',
});

/** Any graph: also with circles, with loops, with parts that do not hang together. */
const graphs = fc.integer({ min: 1, max: 60 }).chain((count) =>
  fc.record({
    boxes: fc.constant(boxesOf(count)),
    edges: fc.array(
      fc
        .tuple(fc.nat(count - 1), fc.nat(count - 1), fc.constantFrom('input', 'create', 'return', 'call'))
        .map(([from, to, group]) => edge(from, to, group)),
      { maxLength: 3 * count },
    ),
  }),
);

function overlapping(boxes: readonly Size[], { places }: Layout): string[] {
  const found: string[] = [];
  for (const [one, first] of boxes.entries()) {
    for (const [other, second] of boxes.entries()) {
      if (other <= one) continue;
      const [a, b] = [places[one], places[other]];
      if (a === undefined || b === undefined) throw new Error('a box has no place');
      const [across, down] = [Math.abs(a.x - b.x), Math.abs(a.y - b.y)];
      if (across < (first.width + second.width) / 2 + 5 && down < (first.height + second.height) / 2 + 5) {
        found.push(`${one} and ${other}`);
      }
    }
  }
  return found;
}

describe('the layout', () => {
  it('overlaps no boxes, keeps all within its size, and is the same each time', () => {
    fc.assert(
      fc.property(graphs, ({ boxes, edges }) => {
        const layout = layOut(boxes, edges);
        expect(layout.places).toHaveLength(boxes.length);
        expect(overlapping(boxes, layout)).toEqual([]);
        for (const [index, { x, y }] of layout.places.entries()) {
          const { width, height } = boxes[index] ?? box;
          expect(x - width / 2).toBeGreaterThan(-1);
          expect(x + width / 2).toBeLessThan(layout.width + 1);
          expect(y - height / 2).toBeGreaterThan(-1);
          expect(y + height / 2).toBeLessThan(layout.height + 1);
        }
        for (const { start, turn, end } of layout.strokes) {
          expect([start.x, start.y, turn, end.x, end.y].every(Number.isFinite)).toBe(true);
          expect(start.y <= turn && turn <= end.y).toBe(true);
        }
        expect(layOut(boxes, edges)).toEqual(layout);
      }),
      { numRuns: 150 },
    );
  });

  it('leads edges downwards; what is passed on may point back', () => {
    const forwards = graphs.map(({ boxes, edges }) => ({
      boxes,
      edges: edges
        .filter(({ from, to }) => from !== to)
        .map(({ from, to, group }) => {
          const [first, second] = [Math.min(from, to), Math.max(from, to)];
          return group === 'return' ? edge(second, first, group) : edge(first, second, group);
        }),
    }));
    fc.assert(
      fc.property(forwards, ({ boxes, edges }) => {
        const { places, strokes } = layOut(boxes, edges);
        for (const { from, to } of edges.filter(({ group }) => group !== 'return')) {
          expect((places[from]?.y ?? 0) < (places[to]?.y ?? 0)).toBe(true);
        }
        expect(strokes.filter(({ isUpwards, group }) => isUpwards && group !== 'return')).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it('puts what was given right above what it was given to', () => {
    // 0 → 1 → 2 → 3, and 4 is given to 3 only.
    const { places } = layOut(boxesOf(5), [edge(0, 1), edge(1, 2), edge(2, 3), edge(4, 3)]);
    expect(places[4]?.y).toBe(places[2]?.y);
  });

  it('uncrosses what need not cross', () => {
    const { places } = layOut(boxesOf(6), [edge(0, 5), edge(1, 4), edge(2, 3)]);
    const across = (index: number) => places[index]?.x ?? 0;
    const orders = [
      [0, 1, 2],
      [5, 4, 3],
    ].map((layer) => layer.toSorted((one, other) => across(one) - across(other)));
    const partner = new Map([0, 1, 2].map((index) => [index, 5 - index]));
    expect(orders[0]?.map((index) => partner.get(index))).toEqual(orders[1]);
  });

  it('breaks the children of one parent into several rows below each other', () => {
    const count = 400;
    const edges = Array.from({ length: count }, (_, index) => edge(0, index + 1, 'call'));
    const { width, height } = layOut(boxesOf(count + 1), edges);
    expect(width).toBeLessThan(5_000);
    expect(height).toBeLessThan(3_000);
  });

  it('is done with 10 000 boxes in seconds, also where one workflow has called all others one after the other', () => {
    const count = 5_000;
    const edges = Array.from({ length: count - 1 }, (_, index) => [
      edge(0, 2 * index + 2, 'call'),
      edge(2 * index + 1, 2 * index + 2),
      edge(2 * index + 2, 2 * index + 3, 'create'),
      edge((index * 7_919) % (2 * index + 2), 2 * index + 2),
    ]).flat();
    const started = performance.now();
    const { places, strokes } = layOut(boxesOf(2 * count), edges);
    expect(places).toHaveLength(2 * count);
    expect(strokes.length).toBeLessThan(100_000);
    expect(performance.now() - started).toBeLessThan(15_000);
  });
});

describe('tracks', () => {
  it('join both ends of every line, from each layer to the next', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(12), { minLength: 2, maxLength: 20 }),
        fc.array(fc.tuple(fc.nat(19), fc.nat(19), fc.constantFrom('a', 'b')), { maxLength: 60 }),
        fc.nat(40),
        (layers, pairs, mostBends) => {
          const lines = pairs.flatMap(([one, other, group]) => {
            const [upper, lower] = [one % layers.length, other % layers.length];
            return (layers[upper] ?? 0) < (layers[lower] ?? 0) ? [{ upper, lower, group }] : [];
          });
          const { layerOf, pieces, direct } = layTracks(layers, lines, mostBends);
          expect(layerOf.length - layers.length).toBeLessThanOrEqual(mostBends);
          for (const { upper, lower } of pieces) expect((layerOf[lower] ?? 0) - (layerOf[upper] ?? 0)).toBe(1);
          for (const [index, { upper, lower, group }] of lines.entries()) {
            if (direct.includes(index)) continue;
            const reached = new Set([upper]);
            for (let layer = layers[upper] ?? 0; layer < (layers[lower] ?? 0); layer += 1) {
              for (const piece of pieces) {
                const isHere = layerOf[piece.upper] === layer && piece.group === group;
                // Through bends only: another box is no way.
                const goesOn = piece.lower >= layers.length || piece.lower === lower;
                if (isHere && goesOn && reached.has(piece.upper)) reached.add(piece.lower);
              }
            }
            expect(reached.has(lower)).toBe(true);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('are shared by lines that begin or end together', () => {
    const layers = [0, 1, 2, 3, 4, 5];
    const fromOne = layTracks(
      layers,
      [2, 3, 4, 5].map((lower) => ({ upper: 0, lower, group: 'call' })),
      100,
    );
    expect(fromOne.layerOf.length - layers.length).toBe(4);
    const toOne = layTracks(
      layers,
      [0, 1, 2, 3].map((upper) => ({ upper, lower: 5, group: 'input' })),
      100,
    );
    expect(toOne.layerOf.length - layers.length).toBe(4);
  });
});
