import { isTerminal } from '../process/states.js';
import { amend, stateOf } from '../process/transition.js';
import type { Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';

/**
 * Asks for a process to be killed. The intent is a row: whichever driver has the computer carries it out.
 * @returns false when the process has ended already
 */
export async function requestKill(store: Store, row: ProcessRow, reason: string, now = Date.now()): Promise<boolean> {
  if (isTerminal(stateOf(row))) return false;
  return amend(
    store,
    row.id,
    { kill_requested_at: now, kill_reason: reason, due_at: now },
    { now, events: [{ type: 'process.kill-requested', data: { reason } }] },
  );
}

/** Keeps a process from its next verb. A job that the scheduler has runs on. False when the process has ended. */
export async function pause(store: Store, row: ProcessRow, reason: string, now = Date.now()): Promise<boolean> {
  return amend(
    store,
    row.id,
    { paused: 1, paused_reason: reason, paused_at: now },
    { now, events: [{ type: 'process.paused', data: { reason } }] },
  );
}

/** Lets a paused process go on at once, with a full count of attempts. False when the process has ended. */
export async function play(store: Store, row: ProcessRow, now = Date.now()): Promise<boolean> {
  return amend(
    store,
    row.id,
    { paused: 0, paused_reason: null, paused_at: null, attempts: 0, last_error: null, due_at: now },
    { now, events: [{ type: 'process.played', data: {} }] },
  );
}
