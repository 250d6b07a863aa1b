import type { WherryError } from '../errors.js';

/** A verb that is in progress for one process. */
export interface Work {
  readonly abort: AbortController;
  stage: string;
  /** Does it still wait for its turn on the connection? */
  waiting: boolean;
}

/** What is in progress on one computer: at most one verb for each process. */
export class WorkInProgress {
  readonly #works = new Map<number, Work & { readonly done: Promise<void> }>();
  readonly #failed: (error: unknown) => void;
  readonly #ended: () => void;

  /**
   * @param failed told of what a verb could not deal with itself
   * @param ended called whenever one has ended
   */
  constructor(failed: (error: unknown) => void, ended: () => void) {
    this.#failed = failed;
    this.#ended = ended;
  }

  get size(): number {
    return this.#works.size;
  }

  /** The processes that are worked on. */
  get ids(): ReadonlySet<number> {
    return new Set(this.#works.keys());
  }

  /** What is in progress for a process. */
  of(id: number): Work | undefined {
    return this.#works.get(id);
  }

  /** How many are at one of these stages. */
  at(...stages: readonly string[]): number {
    return [...this.#works.values()].filter(({ stage }) => stages.includes(stage)).length;
  }

  /** Keeps what has begun until its end. */
  add(id: number, work: Work, done: Promise<void>): void {
    const settled = done.catch(this.#failed).finally(() => {
      this.#works.delete(id);
      this.#ended();
    });
    this.#works.set(id, Object.assign(work, { done: settled }));
  }

  /** Gives up what still waits for its turn. */
  drain(reason: WherryError): void {
    for (const { waiting, abort } of this.#works.values()) if (waiting) abort.abort(reason);
  }

  abort(reason: WherryError): void {
    for (const { abort } of this.#works.values()) abort.abort(reason);
  }

  /** Waits for the end of all that is in progress now. */
  async settled(): Promise<void> {
    await Promise.all([...this.#works.values()].map(({ done }) => done));
  }
}
