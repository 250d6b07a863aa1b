import type { Store } from '../store/store.js';
import type { LoadedComputer } from './loaded-computer.js';

/** How many more jobs may be submitted now, and why not more. */
export interface Allowance {
  readonly count: number;
  readonly reason?: string;
}

/**
 * Counts in the store, so that the limits hold across drivers: what stands on the computer (submitted, or intended
 * and not known) and what was submitted within the last minute.
 */
export async function allowance(store: Store, computer: LoadedComputer, now: number): Promise<Allowance> {
  const { maxQueued, submitPerMinute } = computer.limits;
  let count = Number.POSITIVE_INFINITY;
  let reason: string | undefined;
  if (Number.isFinite(maxQueued)) {
    const standing = await standingJobs(store, computer.row.id);
    count = Math.max(0, maxQueued - standing);
    reason = `the limit of ${maxQueued} jobs in the queue (maxQueued)`;
  }
  if (Number.isFinite(submitPerMinute)) {
    const recent = await submittedSince(store, computer.row.id, now - 60_000);
    const left = Math.max(0, Math.ceil(submitPerMinute) - recent);
    if (left < count) {
      count = left;
      reason = `the limit of ${submitPerMinute} submissions per minute (submitPerMinute)`;
    }
  }
  return reason === undefined ? { count } : { count, reason };
}

async function standingJobs(store: Store, computerId: number): Promise<number> {
  const submitted = await store
    .selectFrom('processes')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('computer_id', '=', computerId)
    .where('stage', '=', 'update')
    .executeTakeFirstOrThrow();
  const intended = await store
    .selectFrom('processes')
    .innerJoin('submissions', 'submissions.process_id', 'processes.id')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('processes.computer_id', '=', computerId)
    .where('processes.stage', '=', 'submit')
    .where('submissions.outcome', '=', 'intended')
    .executeTakeFirstOrThrow();
  return Number(submitted.count) + Number(intended.count);
}

async function submittedSince(store: Store, computerId: number, since: number): Promise<number> {
  const row = await store
    .selectFrom('submissions')
    .innerJoin('processes', 'processes.id', 'submissions.process_id')
    .select((columns) => columns.fn.countAll<number>().as('count'))
    .where('submissions.intended_at', '>', since)
    .where('processes.computer_id', '=', computerId)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}
