/** An edge between two boxes, by their places in a list. */
export interface Arrow {
  readonly from: number;
  readonly to: number;
  /** May point against all others, and then says nothing of who stands above whom. */
  readonly mayPointBack: boolean;
}

/**
 * Puts every box into a layer, so that edges lead downwards: as far up as what it comes from allows, except that none of
 * the layers has more than `mostInLayer`. What comes from nowhere stands right above what it leads to.
 * @returns the layer of each box, from 0 on and without gaps, and for each edge whether it leads upwards all the same
 */
export function assignLayers(
  boxes: number,
  arrows: readonly Arrow[],
  mostInLayer: number,
): { readonly layerOf: readonly number[]; readonly isUpwards: readonly boolean[] } {
  const order = topologicalOrder(
    boxes,
    arrows.filter(({ from, to, mayPointBack }) => from !== to && !mayPointBack),
  );
  const turn = new Array<number>(boxes).fill(0);
  for (const [index, box] of order.entries()) turn[box] = index;
  // Whatever leads along this order, or is turned round so that it does, cannot make a circle.
  const isUpwards = arrows.map(({ from, to }) => at(turn, from) > at(turn, to));
  const above: number[][] = Array.from({ length: boxes }, () => []);
  const below: number[][] = Array.from({ length: boxes }, () => []);
  for (const [index, { from, to }] of arrows.entries()) {
    if (from === to) continue;
    const [upper, lower] = isUpwards[index] ? [to, from] : [from, to];
    above[lower]?.push(upper);
    below[upper]?.push(lower);
  }
  const layerOf = new Array<number>(boxes).fill(0);
  const count = new Map<number, number>();
  const put = (box: number, wanted: number, direction: 1 | -1) => {
    let layer = wanted;
    while ((count.get(layer) ?? 0) >= mostInLayer) layer += direction;
    count.set(layer, (count.get(layer) ?? 0) + 1);
    layerOf[box] = layer;
  };
  const isSource = (box: number) => above[box]?.length === 0 && (below[box]?.length ?? 0) > 0;
  for (const box of order) {
    if (!isSource(box)) put(box, lowest(above[box] ?? [], layerOf, isSource) + 1, 1);
  }
  for (const box of order) {
    if (isSource(box)) put(box, Math.min(...(below[box] ?? []).map((other) => at(layerOf, other))) - 1, -1);
  }
  return { layerOf: withoutGaps(layerOf), isUpwards };
}

/** The lowest layer of those that have one already. */
function lowest(boxes: readonly number[], layerOf: readonly number[], hasNone: (box: number) => boolean): number {
  let layer = -1;
  for (const box of boxes) if (!hasNone(box)) layer = Math.max(layer, at(layerOf, box));
  return layer;
}

/**
 * An order in which everything comes after what it comes from. What follows from a box comes soon after it, so that a
 * process and what it made stay together. Circles, which should not be, are cut where they are met.
 */
function topologicalOrder(boxes: number, arrows: readonly Arrow[]): number[] {
  const waitsFor = new Array<number>(boxes).fill(0);
  const next: number[][] = Array.from({ length: boxes }, () => []);
  for (const { from, to } of arrows) {
    waitsFor[to] = at(waitsFor, to) + 1;
    next[from]?.push(to);
  }
  const order: number[] = [];
  const done = new Set<number>();
  const ready: number[] = [];
  for (let box = boxes - 1; box >= 0; box -= 1) if (waitsFor[box] === 0) ready.push(box);
  let first = 0;
  while (order.length < boxes) {
    let box = ready.pop();
    if (box === undefined) {
      while (done.has(first)) first += 1;
      box = first;
    }
    if (done.has(box)) continue;
    done.add(box);
    order.push(box);
    const followers = next[box] ?? [];
    for (let index = followers.length - 1; index >= 0; index -= 1) {
      const follower = followers[index] ?? 0;
      waitsFor[follower] = at(waitsFor, follower) - 1;
      if (waitsFor[follower] === 0) ready.push(follower);
    }
  }
  return order;
}

function withoutGaps(layerOf: readonly number[]): number[] {
  const used = [...new Set(layerOf)].sort((one, other) => one - other);
  const indexOf = new Map(used.map((layer, index) => [layer, index]));
  return layerOf.map((layer) => indexOf.get(layer) ?? 0);
}

function at(numbers: readonly number[], index: number): number {
  return numbers[index] ?? 0;
}
