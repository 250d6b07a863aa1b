import type { TaskFile } from './task-file.js';

/** Something to be written, of which nobody hears before it is committed. */
export interface Write {
  work(): Written;
  fail(error: unknown): void;
}

/** What to do when it is written. */
export interface Written {
  /** As soon as it is committed: it survives the end of this program. */
  committed?(): void;
  /** When it has reached the disk: it survives a loss of power. Those who need that wait for it. */
  onDisk?(): void;
}

/** A write that waits for the disk. */
interface Unsynced {
  readonly onDisk: () => void;
  readonly fail: (error: unknown) => void;
}

/**
 * Carries out what is to be written in one turn of the event loop in one transaction. When that fails, each is tried
 * alone, so that only those fail which cannot be written. The disk is waited for aside: everything else goes on
 * meanwhile, and what is committed meanwhile shares the next wait.
 */
export class SharedCommit {
  readonly #file: () => TaskFile;
  readonly #afterwards: () => void;
  #waiting: Write[] = [];
  #unsynced: Unsynced[] = [];
  #syncing = false;
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

  /** Commits now what waits. */
  flush(): void {
    clearImmediate(this.#turn);
    this.#turn = undefined;
    const writes = this.#waiting;
    this.#waiting = [];
    if (writes.length > 0 && !this.#carryOut(writes)) {
      for (const write of writes) this.#carryOut([write]);
    }
    if (this.#unsynced.length > 0 && !this.#syncing) void this.#sync();
    this.#afterwards();
  }

  /** Commits what waits, and waits for the disk on the spot: the last of all. */
  close(): void {
    this.flush();
    const unsynced = this.#unsynced.splice(0);
    if (unsynced.length === 0) return;
    tell(unsynced, () => this.#file().syncNow());
  }

  /** @returns false when they failed together and nobody has been told yet */
  #carryOut(writes: readonly Write[]): boolean {
    let written: readonly Written[];
    try {
      written = this.#file().transaction(() => writes.map((write) => write.work()));
    } catch (error) {
      if (writes.length > 1) return false;
      for (const write of writes) write.fail(error);
      return true;
    }
    for (const [index, { committed, onDisk }] of written.entries()) {
      committed?.();
      const fail = writes[index]?.fail;
      if (onDisk !== undefined && fail !== undefined) this.#unsynced.push({ onDisk, fail });
    }
    return true;
  }

  async #sync(): Promise<void> {
    this.#syncing = true;
    // Whatever is still here when the disk has answered was not told by `close`.
    while (this.#unsynced.length > 0) {
      const batch = [...this.#unsynced];
      const outcome = await this.#file()
        .sync()
        .then(
          () => undefined,
          (error: unknown) => ({ error }),
        );
      const told = this.#unsynced.splice(0, Math.min(batch.length, this.#unsynced.length));
      tell(told, () => {
        if (outcome !== undefined) throw outcome.error;
      });
    }
    this.#syncing = false;
  }
}

function tell(unsynced: readonly Unsynced[], outcome: () => void): void {
  try {
    outcome();
  } catch (error) {
    for (const { fail } of unsynced) fail(error);
    return;
  }
  for (const { onDisk } of unsynced) onDisk();
}
