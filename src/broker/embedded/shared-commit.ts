import type { TaskFile } from './task-file.js';

/** Something to be written, of which nobody hears before it is committed. */
export interface Write {
  /** @returns what to do when it is committed */
  work(): () => void;
  fail(error: unknown): void;
  /** Does it have to survive a loss of power? */
  readonly durable: boolean;
}

/**
 * Carries out what is to be written in one turn of the event loop in one transaction: waiting for the disk costs more
 * than everything else. When that fails, each is tried alone, so that only those fail which cannot be written.
 */
export class SharedCommit {
  readonly #file: () => TaskFile;
  readonly #afterwards: () => void;
  #waiting: Write[] = [];
  #turn: NodeJS.Immediate | undefined;

  /** @param afterwards called after each turn */
  constructor(file: () => TaskFile, afterwards: () => void) {
    this.#file = file;
    this.#afterwards = afterwards;
  }

  add(write: Write): void {
    this.#waiting.push(write);
    this.wake();
  }

  /** There will be a turn, also when there is nothing to be written. */
  wake(): void {
    this.#turn ??= setImmediate(() => this.flush());
  }

  /** Carries out now what waits. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    const writes = this.#waiting;
    this.#waiting = [];
    if (writes.length > 0 && !this.#carryOut(writes)) {
      for (const write of writes) this.#carryOut([write]);
    }
    this.#afterwards();
  }

  /** @returns false when they failed together and nobody has been told yet */
  #carryOut(writes: readonly Write[]): boolean {
    let tell: (() => void)[];
    try {
      const durable = writes.some((write) => write.durable);
      tell = this.#file().transaction({ durable }, () => writes.map((write) => write.work()));
    } catch (error) {
      if (writes.length > 1) return false;
      for (const write of writes) write.fail(error);
      return true;
    }
    for (const one of tell) one();
    return true;
  }
}
