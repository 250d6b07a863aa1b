import type { QueuedRow } from '../calcjob/update.js';
import type { JobInfo } from '../plugin/scheduler.js';

/** A job that has been as it is for so long is looked at after a twentieth of that time again. */
const share = 1 / 20;
/** The longest wait between two looks, in intervals and in milliseconds; the shorter one holds. */
const longest = { intervals: 20, time: 300_000 } as const;

/**
 * When a job is to be looked at next: soon after it was submitted or began to run, seldom while it waits in a long
 * queue or runs for days, and in time for the end that the scheduler expects. Never more often than the interval.
 * @param interval the computer's least time between two listings, in milliseconds
 */
export function nextLook(
  row: Pick<QueuedRow, 'waiting_since' | 'stage_since' | 'kill_requested_at'>,
  info: JobInfo | undefined,
  now: number,
  interval: number,
): number {
  if (row.kill_requested_at !== null) return now + interval;
  const ceiling = Math.max(interval, Math.min(longest.intervals * interval, longest.time));
  const unchangedFor = Math.max(0, now - (row.waiting_since ?? row.stage_since));
  const wait = Math.min(ceiling, Math.max(interval, unchangedFor * share));
  return now + Math.min(wait, Math.max(interval, untilExpectedEnd(info, now)));
}

function untilExpectedEnd(info: JobInfo | undefined, now: number): number {
  const end = info?.expectedEndAt === undefined ? Number.NaN : Date.parse(info.expectedEndAt);
  return Number.isNaN(end) ? Number.POSITIVE_INFINITY : end - now;
}
