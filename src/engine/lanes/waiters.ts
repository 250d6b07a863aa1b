import { setImmediate as nextTurn } from 'node:timers/promises';
import type { WherryError } from '../../errors.js';
import type { ProcessResult } from '../../workflow/result.js';
import type { LaneTools } from '../driver-tools.js';
import { storedResult } from './results.js';

/** Somebody in this program who waits for the end of a process. */
interface Waiter {
  readonly resolve: (result: ProcessResult) => void;
  readonly reject: (reason: WherryError) => void;
}

/** Milliseconds between two looks at processes that are waited for in this program alone. */
const lookInterval = 500;

/** Who in this program waits for the end of a process, outside of workflows. */
export class Waiters {
  readonly #tools: Pick<LaneTools, 'store' | 'repository' | 'now'>;
  /** By the uuid of what is waited for. */
  readonly #waiters = new Map<string, Waiter>();
  #lookedAt = 0;

  constructor(tools: Pick<LaneTools, 'store' | 'repository' | 'now'>) {
    this.#tools = tools;
  }

  get size(): number {
    return this.#waiters.size;
  }

  has(uuid: string): boolean {
    return this.#waiters.has(uuid);
  }

  /** The end of a process, which need not be stored yet. Errors: the reason of `fail`. */
  endOf(uuid: string): Promise<ProcessResult> {
    const ended = new Promise<ProcessResult>((resolve, reject) => this.#waiters.set(uuid, { resolve, reject }));
    // Whoever asked may have failed before it waits.
    ended.catch(() => undefined);
    return ended;
  }

  /** Nobody waits for it any more. */
  forget(uuid: string): void {
    this.#waiters.delete(uuid);
  }

  /** It has ended. */
  tell(result: ProcessResult): void {
    const waiter = this.#waiters.get(result.uuid);
    this.#waiters.delete(result.uuid);
    waiter?.resolve(result);
  }

  /** No end will be told here any more. */
  fail(reason: WherryError): void {
    for (const waiter of this.#waiters.values()) waiter.reject(reason);
    this.#waiters.clear();
  }

  /** Others may have ended what is waited for: by force, or on a computer that somebody else drives. */
  async look(): Promise<void> {
    const { store, now } = this.#tools;
    if (this.#waiters.size === 0 || now() - this.#lookedAt < lookInterval) return;
    this.#lookedAt = now();
    const uuids = [...this.#waiters.keys()];
    for (let start = 0; start < uuids.length; start += 500, await nextTurn()) {
      const rows = await store
        .selectFrom('processes')
        .selectAll()
        .where('uuid', 'in', uuids.slice(start, start + 500))
        .where('ended_at', 'is not', null)
        .execute();
      for (const row of rows) if (this.has(row.uuid)) this.tell(await storedResult(this.#tools, row));
    }
  }
}
