import { submit } from '../calcjob/submit.js';
import { fromJson } from '../store/store.js';
import { admit, writeThrottle } from './admission.js';
import type { ComputerHands } from './computer-hands.js';
import { unsettledRows } from './due-work.js';
import type { LoadedComputer } from './loaded-computer.js';
import { knowsForeignJobs } from './throttle.js';

/**
 * Submits what may be submitted now, those first of which it is not known whether the scheduler has them.
 * @param places most submissions in progress at once
 * @returns when a limit may let more in, as far as that is known
 */
export async function startSubmissions(
  { tools, lease, computerId, working, begin }: ComputerHands,
  computer: LoadedComputer,
  at: number,
  places: number,
): Promise<number | undefined> {
  const { store } = tools;
  const submitting = working.at('submit');
  const room = () => Math.max(0, places - working.at('submit'));
  for (const row of await unsettledRows(store, computerId, at, room(), working.ids)) begin(row, 'submit', submit);
  if (room() === 0) return undefined;
  const admission = await admit(store, computer, at, room(), submitting, working.ids);
  for (const row of admission.rows) begin(row, 'submit', submit);
  await writeThrottle(store, lease, computer.row, admission.reason, at);
  return admission.nextAt;
}

/** Does somebody wait to be submitted until the jobs that are not ours have been counted? */
export function countsForeignJobs(computer: LoadedComputer, at: number): boolean {
  const { row, limits } = computer;
  const isWaiting = fromJson<object>(row.throttle) !== undefined;
  return limits.countForeignJobs && Number.isFinite(limits.maxQueued) && isWaiting && !knowsForeignJobs(computer, at);
}
