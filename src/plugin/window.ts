/** How much may be in flight at once: so many items, so many bytes (one item may be larger alone). */
export interface WindowLimits {
  readonly items: number;
  readonly bytes: number;
}

/** Loads items ahead of their use, within limits, and gives them in order. Fails with the first that fails. */
export async function* loadAhead<Item, Loaded>(
  items: readonly Item[],
  weigh: (item: Item) => number,
  load: (item: Item) => Promise<Loaded>,
  limits: WindowLimits,
): AsyncGenerator<readonly [Item, Loaded]> {
  const inFlight: { item: Item; loaded: Promise<Loaded>; weight: number }[] = [];
  let bytes = 0;
  let next = 0;
  while (next < items.length || inFlight.length > 0) {
    while (next < items.length && inFlight.length < limits.items) {
      const item = items[next] as Item;
      const weight = weigh(item);
      if (inFlight.length > 0 && bytes + weight > limits.bytes) break;
      const loaded = load(item);
      // It is awaited in its turn; until then a failure must not count as one that nobody handles.
      loaded.catch(() => undefined);
      inFlight.push({ item, loaded, weight });
      bytes += weight;
      next++;
    }
    const first = inFlight.shift();
    if (first === undefined) return;
    yield [first.item, await first.loaded];
    bytes -= first.weight;
  }
}

/** Work that goes on in the background within limits: `start` waits until there is room, `end` until all is done. */
export class WorkWindow {
  readonly #limits: WindowLimits;
  readonly #running = new Set<Promise<void>>();
  #bytes = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** Throws the failure of any work started before. */
  async start(bytes: number, work: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#limits.items || (this.#bytes > 0 && this.#bytes + bytes > this.#limits.bytes)) {
      await Promise.race(this.#running);
    }
    if (this.#failure) throw this.#failure.error;
    this.#bytes += bytes;
    const running = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#bytes -= bytes;
        this.#running.delete(running);
      });
    this.#running.add(running);
  }

  async end(): Promise<void> {
    await Promise.all(this.#running);
    if (this.#failure) throw this.#failure.error;
  }
}
