import { type Evidence, update } from '../calcjob/update.js';
import { messageOf, WherryError } from '../errors.js';
import type { Transition } from '../process/transition.js';
import { writeEvents } from '../store/events.js';
import { fenced, type Lease } from '../store/leases.js';
import type { StoreTransaction } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import { waitAfter } from './backoff.js';
import { ComputerUnavailable } from './computer-unavailable.js';
import type { DriverTools } from './driver-tools.js';
import { pollIsDue, rowsInQueue } from './due-work.js';
import { gatherEvidence } from './job-manager.js';
import type { LoadedComputer } from './loaded-computer.js';

/** Asks a computer about all its jobs, at most once per interval and never twice at once, and writes what it means. */
export class ComputerPoll {
  readonly #tools: DriverTools;
  readonly #lease: Lease;
  readonly #stop: AbortController;
  readonly #carryOut: (row: ProcessRow, transition: Transition) => Promise<void>;
  readonly #processFailed: (row: ProcessRow, error: unknown) => Promise<void>;
  #polling: Promise<void> | undefined;
  #failures = 0;

  constructor(
    tools: DriverTools,
    lease: Lease,
    stop: AbortController,
    carryOut: (row: ProcessRow, transition: Transition) => Promise<void>,
    processFailed: (row: ProcessRow, error: unknown) => Promise<void>,
  ) {
    this.#tools = tools;
    this.#lease = lease;
    this.#stop = stop;
    this.#carryOut = carryOut;
    this.#processFailed = processFailed;
  }

  get busy(): boolean {
    return this.#polling !== undefined;
  }

  /** Resolves when the listing in progress has ended; at once when there is none. */
  get settled(): Promise<void> {
    return this.#polling ?? Promise.resolve();
  }

  /** Begins a listing when one is due and the interval allows it, without waiting for it. */
  async start(computer: LoadedComputer, at: number): Promise<void> {
    if (this.busy || at < this.#allowedAt(computer)) return;
    if (!(await pollIsDue(this.#tools.store, computer.row.id, at))) return;
    this.#polling = this.#poll(computer)
      .catch((error: unknown) => stopDriving(this.#stop, error))
      .finally(() => {
        this.#polling = undefined;
        this.#tools.wake();
      });
  }

  /** When a listing that is due may begin; undefined when none is due or one is in progress. */
  async nextAt(computer: LoadedComputer, at: number): Promise<number | undefined> {
    if (this.busy || !(await pollIsDue(this.#tools.store, computer.row.id, at))) return undefined;
    return this.#allowedAt(computer);
  }

  #allowedAt({ row, limits }: LoadedComputer): number {
    const extra = this.#failures > 0 ? waitAfter(this.#failures, 0.5, limits.minPollInterval) : 0;
    return (row.polled_at ?? 0) + limits.minPollInterval + extra;
  }

  async #poll(computer: LoadedComputer): Promise<void> {
    const { store, queue, now } = this.#tools;
    const { id } = computer.row;
    const { signal } = this.#stop;
    const began = now();
    const rows = await rowsInQueue(store, id);
    try {
      const ask = async (connection: Parameters<Parameters<typeof queue.use>[2]>[0]) => {
        await store.updateTable('computers').set({ polled_at: now() }).where('id', '=', id).execute();
        return gatherEvidence({ computer, connection, signal }, rows);
      };
      const evidence = await queue.use(computer, signal, ask, 1);
      this.#failures = 0;
      const at = now();
      const data = { jobs: rows.length, durationMs: at - began };
      await writeEvents(store, null, at, [{ type: 'computer.polled', computerId: id, data }]);
      const next = at + computer.limits.minPollInterval;
      const unchanged: number[] = [];
      for (const row of rows) {
        if (await this.#conclude(row, evidence.get(row.id) ?? {}, at, next)) unchanged.push(row.id);
      }
      await this.#postpone(unchanged, next);
    } catch (error) {
      await this.#failed(computer, error);
    }
  }

  /**
   * Carries out what the listing means for one process. Its own trouble keeps no other from being looked at.
   * @returns true when nothing has changed
   */
  async #conclude(row: ProcessRow, evidence: Evidence, at: number, next: number): Promise<boolean> {
    try {
      const transition = update(row, evidence, at, next);
      if (transition !== undefined) await this.#carryOut(row, transition);
      return transition === undefined;
    } catch (error) {
      const movedMeanwhile = error instanceof WherryError && error.code === 'transition-refused';
      if (!movedMeanwhile) await this.#processFailed(row, error);
      return false;
    }
  }

  async #postpone(ids: readonly number[], dueAt: number): Promise<void> {
    for (let start = 0; start < ids.length; start += 500) {
      const chunk = ids.slice(start, start + 500);
      const write = (transaction: StoreTransaction) =>
        transaction
          .updateTable('processes')
          .set({ due_at: dueAt })
          .where('id', 'in', chunk)
          .where('stage', '=', 'update')
          // A wish to kill has a due time of its own.
          .where('kill_requested_at', 'is', null)
          .execute();
      await fenced(this.#tools.store, this.#lease, write, { repeatable: true });
    }
  }

  /** A listing that failed says nothing about any job: only the next one is put off. */
  async #failed(computer: LoadedComputer, error: unknown): Promise<void> {
    if (this.#stop.signal.aborted) return;
    if (error instanceof WherryError && error.code === 'lease-lost') throw error;
    if (!(error instanceof ComputerUnavailable)) this.#failures++;
    const { store, now } = this.#tools;
    const code = error instanceof WherryError ? error.code : 'internal';
    await writeEvents(store, null, now(), [
      { type: 'computer.poll-failed', computerId: computer.row.id, data: { code, message: messageOf(error) } },
    ]);
  }
}

/** Another driver has taken over, or the store cannot be written: whatever is in progress on this computer must stop. */
export function stopDriving(stop: AbortController, error: unknown): void {
  stop.abort(
    error instanceof WherryError ? error : new WherryError('store-failed', messageOf(error), { cause: error }),
  );
}
