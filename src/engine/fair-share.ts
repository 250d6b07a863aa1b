/** Milliseconds that a computer beyond the share is left to the other workers. */
const patience = 2_000;

/** Decides which computers or lanes one of several workers takes, so that the first to wake up does not drive all of them. */
export class FairShare {
  readonly #workers: () => number;
  readonly #now: () => number;
  /** Computers that were left to the others, and since when. */
  readonly #offered = new Map<string, number>();

  /** @param workers how many share the work at present, this one included */
  constructor(workers: () => number, now: () => number) {
    this.#workers = workers;
    this.#now = now;
  }

  /**
   * May one more computer be taken, if it is free? One beyond the share only when no other has wanted it for a while:
   * they may hang.
   * @param held how many this worker has
   * @param total how many have work
   */
  mayTake(name: string, held: number, total: number): boolean {
    if (held < this.#share(total)) {
      this.#offered.delete(name);
      return true;
    }
    const since = this.#offered.get(name) ?? this.#now();
    this.#offered.set(name, since);
    return this.#now() - since >= patience;
  }

  /** Somebody has a computer: it is not on offer. */
  taken(name: string): void {
    this.#offered.delete(name);
  }

  /** Has this worker more computers than its share? */
  exceeded(held: number, total: number): boolean {
    return held > this.#share(total);
  }

  #share(total: number): number {
    return Math.max(1, Math.ceil(total / Math.max(1, this.#workers())));
  }
}
