import { sql } from 'kysely';
import type { Store } from '../store/store.js';
import type { LoadedComputer } from './loaded-computer.js';
import { siteLimitOf } from './site-limit.js';
import { standingJobs } from './standing-jobs.js';

/** How many more jobs may be submitted now, why not more, and when there may be more as far as that is known. */
export interface Allowance {
  readonly count: number;
  readonly reason?: string;
  readonly nextAt?: number;
}

/**
 * Counts in the store, so that the limits hold across drivers: what stands on the computer (submitted, or intended
 * and not known), what the last listing showed of others, and what was submitted within the last minute. The tightest
 * limit gives the reason. Pools are counted elsewhere, for they belong to several computers.
 */
export async function allowance(store: Store, computer: LoadedComputer, now: number): Promise<Allowance> {
  const limits = [
    draining(computer),
    await site(store, computer, now),
    await queued(store, computer, now),
    await running(store, computer),
    await rate(store, computer, now),
  ];
  return limits
    .filter((limit) => limit !== undefined)
    .reduce((tightest, limit) => (limit.count < tightest.count ? limit : tightest), unlimited);
}

const unlimited: Allowance = { count: Number.POSITIVE_INFINITY };

function draining({ row }: LoadedComputer): Allowance | undefined {
  if (row.draining_since === null) return undefined;
  return { count: 0, reason: `${row.label} to be enabled: it is being drained and takes no new jobs` };
}

/** As many as stood there when the site refused, and after a growing time one more to ask whether that has changed. */
async function site(store: Store, { row }: LoadedComputer, now: number): Promise<Allowance | undefined> {
  const limit = siteLimitOf(row);
  if (limit === undefined) return undefined;
  const room = Math.max(0, limit.standing - (await standingJobs(store, row.id)));
  const reason = `the site's own limit: ${limit.message}`;
  return limit.after > now ? { count: room, reason, nextAt: limit.after } : { count: room + 1, reason };
}

async function queued(store: Store, computer: LoadedComputer, now: number): Promise<Allowance | undefined> {
  const { maxQueued, countForeignJobs } = computer.limits;
  if (!Number.isFinite(maxQueued)) return undefined;
  if (countForeignJobs && !knowsForeignJobs(computer, now)) {
    return { count: 0, reason: 'a listing that counts your other jobs there too (countForeignJobs)' };
  }
  const foreign = countForeignJobs ? (computer.row.foreign_jobs ?? 0) : 0;
  const standing = await standingJobs(store, computer.row.id);
  const others = foreign === 0 ? '' : `, ${foreign} of them not ours`;
  return {
    count: Math.max(0, maxQueued - standing - foreign),
    reason: `the limit of ${maxQueued} jobs in the queue (maxQueued)${others}`,
  };
}

/** Is the count of jobs that are not ours fresh enough to submit by? Listings are asked for until it is. */
export function knowsForeignJobs({ row, limits }: LoadedComputer, now: number): boolean {
  return row.foreign_at !== null && now - row.foreign_at <= limits.minPollInterval + foreignSlack;
}

/** Milliseconds that a listing may take beyond the interval before its count of others is called old. */
const foreignSlack = 5_000;

/** A job that waits in the queue may start at any moment, so it counts as running; one that is held does not. */
async function running(store: Store, computer: LoadedComputer): Promise<Allowance | undefined> {
  const { maxRunning } = computer.limits;
  if (!Number.isFinite(maxRunning)) return undefined;
  const { count } = await store
    .selectFrom('processes')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('computer_id', '=', computer.row.id)
    .where('stage', '=', sql.lit('update'))
    .where('scheduler_state', '=', 'held')
    .executeTakeFirstOrThrow();
  const startable = (await standingJobs(store, computer.row.id)) - Number(count);
  return {
    count: Math.max(0, maxRunning - startable),
    reason: `the limit of ${maxRunning} running jobs (maxRunning)`,
  };
}

async function rate(store: Store, computer: LoadedComputer, now: number): Promise<Allowance | undefined> {
  const { submitPerMinute } = computer.limits;
  if (!Number.isFinite(submitPerMinute)) return undefined;
  const most = Math.ceil(submitPerMinute);
  const recent = await store
    .selectFrom('submissions')
    .innerJoin('processes', 'processes.id', 'submissions.process_id')
    .select('submissions.intended_at')
    .where('submissions.intended_at', '>', now - 60_000)
    .where('processes.computer_id', '=', computer.row.id)
    .orderBy('submissions.intended_at', 'desc')
    .limit(most)
    .execute();
  const count = most - recent.length;
  const oldest = recent.at(-1)?.intended_at;
  const reason = `the limit of ${submitPerMinute} submissions per minute (submitPerMinute)`;
  return count > 0 || oldest === undefined ? { count, reason } : { count: 0, reason, nextAt: oldest + 60_000 };
}
