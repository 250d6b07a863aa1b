import { setImmediate as nextTurn } from 'node:timers/promises';
import { sql } from 'kysely';
import { type Evidence, type QueuedRow, update } from '../calcjob/update.js';
import { messageOf, WherryError } from '../errors.js';
import type { JobInfo } from '../plugin/scheduler.js';
import type { Connection } from '../plugin/transport.js';
import type { Transition } from '../process/transition.js';
import { writeEvents } from '../store/events.js';
import { fenced, type Lease } from '../store/leases.js';
import type { StoreTransaction } from '../store/store.js';
import { isStoreTrouble } from '../store/store-trouble.js';
import { waitAfter } from './backoff.js';
import { ComputerUnavailable } from './computer-unavailable.js';
import type { DriverTools } from './driver-tools.js';
import { hasQueuedRows, queuedJobIds, queuedRows } from './due-work.js';
import { countForeignJobs } from './foreign-jobs.js';
import { gatherEvidence, listJobs } from './job-manager.js';
import type { LoadedComputer } from './loaded-computer.js';
import { nextLook } from './poll-interval.js';

/** Rows that are compared with a listing before everything else of this program gets its turn. */
const page = 500;

/** What the listing found, and when the next is wanted. */
interface Findings {
  readonly jobs: number;
  readonly nextAt: number;
  readonly foreign: number | undefined;
}

/** What makes a listing due beside its own time. */
export interface ListingWishes {
  /** Somebody wants a job killed, whose end is to be seen soon. */
  readonly killing: boolean;
  /** A submission waits for the count of jobs that are not ours. */
  readonly counting: boolean;
}

/** Asks a computer about all its jobs, at most once per interval and never twice at once, and writes what it means. */
export class ComputerPoll {
  readonly #tools: DriverTools;
  readonly #lease: Lease;
  readonly #stop: AbortController;
  readonly #carryOut: (row: QueuedRow, transition: Transition) => Promise<void>;
  readonly #processFailed: (row: QueuedRow, error: unknown) => Promise<void>;
  #polling: Promise<void> | undefined;
  /** Of our last listing: a step may have read its row before that was written, and begin after the listing's end. */
  #polledAt = 0;
  #failures = 0;

  constructor(
    tools: DriverTools,
    lease: Lease,
    stop: AbortController,
    carryOut: (row: QueuedRow, transition: Transition) => Promise<void>,
    processFailed: (row: QueuedRow, error: unknown) => Promise<void>,
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

  /**
   * Begins a listing when one is due and the interval allows it, without waiting for it.
   * @returns when the next may begin; undefined when none is wanted or one is in progress
   */
  async start(computer: LoadedComputer, wishes: ListingWishes, at: number): Promise<number | undefined> {
    if (this.busy) return undefined;
    if (!wishes.counting && !(await hasQueuedRows(this.#tools.store, computer.row.id))) return undefined;
    const { poll_at } = computer.row;
    const wanted = wishes.killing || wishes.counting ? at : (poll_at ?? at);
    const nextAt = Math.max(wanted, this.#allowedAt(computer));
    if (nextAt > at) return nextAt;
    this.#polling = this.#poll(computer)
      .catch((error: unknown) =>
        isStoreTrouble(error) ? this.#tools.storeTrouble(error) : stopDriving(this.#stop, error),
      )
      .finally(() => {
        this.#polling = undefined;
        this.#tools.wake();
      });
    return undefined;
  }

  #allowedAt({ row, limits }: LoadedComputer): number {
    const extra = this.#failures > 0 ? waitAfter(this.#failures, 0.5, limits.minPollInterval) : 0;
    return Math.max(row.polled_at ?? 0, this.#polledAt) + limits.minPollInterval + extra;
  }

  async #poll(computer: LoadedComputer): Promise<void> {
    const { queue, now } = this.#tools;
    const { id } = computer.row;
    const { signal } = this.#stop;
    const began = now();
    try {
      const found = await queue.use(computer, signal, (connection) => this.#ask(computer, connection), 1);
      this.#failures = 0;
      await this.#write(id, found, began);
    } catch (error) {
      await this.#failed(computer, error);
    }
  }

  async #write(id: number, { jobs, nextAt, foreign }: Findings, began: number): Promise<void> {
    const at = this.#tools.now();
    const counted = foreign === undefined ? {} : { foreign_jobs: foreign, foreign_at: at };
    const write = async (transaction: StoreTransaction) => {
      await transaction
        .updateTable('computers')
        // Taken away meanwhile: a job was submitted that was not in this listing.
        .set({ poll_at: sql<number>`case when poll_at is null then poll_at else ${nextAt} end`, ...counted })
        .where('id', '=', id)
        .execute();
      await writeEvents(transaction, null, at, [
        { type: 'computer.polled', computerId: id, data: { jobs, durationMs: at - began } },
      ]);
    };
    await fenced(this.#tools.store, this.#lease, write, { repeatable: true });
  }

  async #ask(computer: LoadedComputer, connection: Connection): Promise<Findings> {
    const { store, now } = this.#tools;
    const { row, limits } = computer;
    const { signal } = this.#stop;
    const context = { computer, connection, signal };
    const began = now();
    this.#polledAt = began;
    await store.updateTable('computers').set({ polled_at: began, poll_at: began }).where('id', '=', row.id).execute();
    const ids = await queuedJobIds(store, row.id);
    const listed = await listJobs(context, ids, limits.countForeignJobs);
    const foreign = limits.countForeignJobs ? await countForeignJobs(store, row.id, ids, listed) : undefined;
    let jobs = 0;
    let nextAt = Number.POSITIVE_INFINITY;
    for (let last = 0; ; ) {
      const rows = await queuedRows(store, row.id, last, page);
      last = rows.at(-1)?.id ?? last;
      // What was submitted after the question is not in the answer.
      const asked = rows.filter(({ stage_since }) => stage_since < began);
      const evidence = await gatherEvidence(context, listed, asked);
      const at = now();
      await Promise.all(asked.map((queued) => this.#conclude(queued, evidence.get(queued.id) ?? {}, at)));
      jobs += asked.length;
      if (asked.length < rows.length) nextAt = began;
      for (const queued of asked) nextAt = Math.min(nextAt, lookAt(queued, listed, at, limits.minPollInterval));
      if (rows.length < page) return { jobs, nextAt: Number.isFinite(nextAt) ? nextAt : at, foreign };
      signal.throwIfAborted();
      await nextTurn();
    }
  }

  /** Carries out what the listing means for one process. Its own trouble keeps no other from being looked at. */
  async #conclude(row: QueuedRow, evidence: Evidence, at: number): Promise<void> {
    try {
      const transition = update(row, evidence, at);
      if (transition !== undefined) await this.#carryOut(row, transition);
    } catch (error) {
      const movedMeanwhile = error instanceof WherryError && error.code === 'transition-refused';
      if (!movedMeanwhile) await this.#processFailed(row, error);
    }
  }

  /** A listing that failed says nothing about any job: only the next one is put off. */
  async #failed(computer: LoadedComputer, error: unknown): Promise<void> {
    if (this.#stop.signal.aborted) return;
    if (isStoreTrouble(error) || (error instanceof WherryError && error.code === 'lease-lost')) throw error;
    if (!(error instanceof ComputerUnavailable)) this.#failures++;
    const { store, now } = this.#tools;
    const code = error instanceof WherryError ? error.code : 'internal';
    await writeEvents(store, null, now(), [
      { type: 'computer.poll-failed', computerId: computer.row.id, data: { code, message: messageOf(error) } },
    ]);
  }
}

function lookAt(row: QueuedRow, listed: ReadonlyMap<string, JobInfo>, at: number, interval: number): number {
  const info = listed.get(row.job_id ?? '');
  // One that is missing, or has just changed, is looked at soon.
  const isSame = info !== undefined && info.state === row.scheduler_state;
  return isSame ? nextLook(row, info, at, interval) : at + interval;
}

/** Another driver has taken over, or the store cannot be written: whatever is in progress on this computer must stop. */
export function stopDriving(stop: AbortController, error: unknown): void {
  stop.abort(
    error instanceof WherryError ? error : new WherryError('store-failed', messageOf(error), { cause: error }),
  );
}
