import type { Joint } from './order.js';

/**
 * How far right everything stands: near its neighbours in the layers above and below, in the given order, and with as
 * much room between the middles of two as `apart` says.
 */
export function findPositions(
  layers: readonly (readonly number[])[],
  joints: readonly Joint[],
  apart: (left: number, right: number) => number,
  /** Is it a bend? Lines are straight before boxes are centred. */
  isBend: (thing: number) => boolean,
  sweeps: number,
): number[] {
  const position: number[] = [];
  for (const layer of layers) {
    const offsets = offsetsOf(layer, apart);
    const middle = (offsets.at(-1) ?? 0) / 2;
    for (const [index, thing] of layer.entries()) position[thing] = (offsets[index] ?? 0) - middle;
  }
  const above: number[][] = position.map(() => []);
  const below: number[][] = position.map(() => []);
  for (const { upper, lower } of joints) {
    above[lower]?.push(upper);
    below[upper]?.push(lower);
  }
  for (let sweep = 0; sweep <= sweeps; sweep += 1) {
    const isLast = sweep === sweeps;
    const isDown = sweep % 2 === 0;
    const indexes = isDown ? [...layers.keys()] : [...layers.keys()].reverse();
    for (const index of indexes) {
      const layer = layers[index] ?? [];
      const wishes = layer.map((thing) => {
        const [up, down] = [above[thing] ?? [], below[thing] ?? []];
        const around = isLast ? [...up, ...down] : isDown ? up : down;
        return wish(thing, around, position, isBend);
      });
      place(layer, wishes, apart, position);
    }
  }
  return position;
}

/** Where something would stand if it were alone, and how much that matters. */
interface Wish {
  readonly position: number;
  readonly weight: number;
}

function wish(
  thing: number,
  around: readonly number[],
  position: readonly number[],
  isBend: (thing: number) => boolean,
): Wish {
  let [sum, weight] = [0, 0];
  for (const other of around) {
    const counts = isBend(thing) && isBend(other) ? 100 : isBend(thing) || isBend(other) ? 2 : 1;
    sum += (position[other] ?? 0) * counts;
    weight += counts;
  }
  // Who has no neighbours there gives way to all others.
  return weight === 0 ? { position: position[thing] ?? 0, weight: 0.01 } : { position: sum / weight, weight };
}

/**
 * The positions in one layer with the least sum of squares of what they are away from the wishes: neighbours that would
 * come too close are joined into a block, which stands at the mean of its wishes.
 */
function place(
  layer: readonly number[],
  wishes: readonly Wish[],
  apart: (left: number, right: number) => number,
  position: number[],
): void {
  const offsets = offsetsOf(layer, apart);
  const blocks: { start: number; sum: number; weight: number }[] = [];
  for (const [index, { position: wanted, weight }] of wishes.entries()) {
    let block = { start: index, sum: (wanted - (offsets[index] ?? 0)) * weight, weight };
    for (;;) {
      const before = blocks.at(-1);
      if (before === undefined || before.sum / before.weight <= block.sum / block.weight) break;
      blocks.pop();
      block = { start: before.start, sum: before.sum + block.sum, weight: before.weight + block.weight };
    }
    blocks.push(block);
  }
  for (const [index, { start, sum, weight }] of blocks.entries()) {
    const end = blocks[index + 1]?.start ?? layer.length;
    for (let each = start; each < end; each += 1) position[layer[each] ?? 0] = sum / weight + (offsets[each] ?? 0);
  }
}

/** How far each is from the first when all stand as close as they may. */
function offsetsOf(layer: readonly number[], apart: (left: number, right: number) => number): number[] {
  let offset = 0;
  return layer.map((thing, index) => {
    const before = layer[index - 1];
    if (before !== undefined) offset += apart(before, thing);
    return offset;
  });
}
