/** Something in a layer that is joined to something in the next. */
export interface Joint {
  readonly upper: number;
  readonly lower: number;
}

/**
 * Orders every layer so that few pieces cross: each thing goes where the mean of its neighbours is, downwards and upwards
 * in turn, so many times; the best of what was met is kept.
 * @returns the things of each layer, from left to right
 */
export function orderLayers(layerOf: readonly number[], joints: readonly Joint[], sweeps: number): number[][] {
  const above: number[][] = layerOf.map(() => []);
  const below: number[][] = layerOf.map(() => []);
  for (const { upper, lower } of joints) {
    above[lower]?.push(upper);
    below[upper]?.push(lower);
  }
  let layers = firstOrder(layerOf, above, below);
  let best = layers;
  let fewest = crossings(layers, below);
  // Also where nothing crosses: things come nearer to what they are joined to.
  for (let sweep = 0; sweep < sweeps && (fewest > 0 || sweep < 4); sweep += 1) {
    const isDown = sweep % 2 === 0;
    layers = swept(layers, isDown ? above : below, isDown);
    const count = crossings(layers, below);
    if (count <= fewest) [best, fewest] = [layers, count];
  }
  return best;
}

/** What hangs together stands together: the order in which a walk along the pieces meets them. */
function firstOrder(
  layerOf: readonly number[],
  above: readonly (readonly number[])[],
  below: readonly (readonly number[])[],
): number[][] {
  const layers: number[][] = Array.from({ length: Math.max(-1, ...maxima(layerOf)) + 1 }, () => []);
  const met = new Set<number>();
  for (const start of layerOf.keys()) {
    const open = [start];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (met.has(next)) continue;
      met.add(next);
      layers[layerOf[next] ?? 0]?.push(next);
      const around = [...(above[next] ?? []), ...(below[next] ?? [])];
      for (let index = around.length - 1; index >= 0; index -= 1) open.push(around[index] ?? 0);
    }
  }
  return layers;
}

/** The largest number as a list of one: the spread of a long list would be too many arguments. */
function maxima(numbers: readonly number[]): number[] {
  return numbers.length === 0 ? [] : [numbers.reduce((one, other) => Math.max(one, other))];
}

function swept(layers: readonly number[][], neighbours: readonly (readonly number[])[], isDown: boolean): number[][] {
  const result = layers.map((layer) => [...layer]);
  /** Where something stands in its layer, from 0 to 1. */
  const place = new Float64Array(neighbours.length);
  const write = (layer: readonly number[]) => {
    for (const [index, thing] of layer.entries()) place[thing] = (index + 0.5) / layer.length;
  };
  result.forEach(write);
  const wanted = new Float64Array(neighbours.length);
  for (const layer of isDown ? result : [...result].reverse()) {
    for (const thing of layer) wanted[thing] = mean(neighbours[thing] ?? [], place) ?? place[thing] ?? 0;
    // Equal ones stay as they are: sorting keeps their order.
    layer.sort((one, other) => (wanted[one] ?? 0) - (wanted[other] ?? 0));
    write(layer);
  }
  return result;
}

function mean(things: readonly number[], place: Float64Array): number | undefined {
  if (things.length === 0) return undefined;
  let sum = 0;
  for (const thing of things) sum += place[thing] ?? 0;
  return sum / things.length;
}

/** How many pieces cross in all. */
function crossings(layers: readonly (readonly number[])[], below: readonly (readonly number[])[]): number {
  const place = new Int32Array(below.length);
  for (const layer of layers) for (const [index, thing] of layer.entries()) place[thing] = index;
  let count = 0;
  for (const [index, layer] of layers.entries()) {
    const ends = layer.flatMap((thing) =>
      (below[thing] ?? []).map((other) => place[other] ?? 0).sort((one, other) => one - other),
    );
    count += inversions(ends, layers[index + 1]?.length ?? 0);
  }
  return count;
}

/** Pairs of which the first is larger: counted by a binary indexed tree. */
function inversions(numbers: readonly number[], limit: number): number {
  const tree = new Int32Array(limit + 1);
  let count = 0;
  for (const [seen, value] of numbers.entries()) {
    let notLarger = 0;
    for (let index = value + 1; index > 0; index -= index & -index) notLarger += tree[index] ?? 0;
    count += seen - notLarger;
    for (let index = value + 1; index <= limit; index += index & -index) tree[index] = (tree[index] ?? 0) + 1;
  }
  return count;
}
