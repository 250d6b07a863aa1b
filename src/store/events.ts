import { Prepared } from './prepared.js';
import type { Store, StoreTransaction } from './store.js';
import type { EventRow } from './tables.js';

/**
 * Everything the engine tells: the one list on which reports, `watch`, metrics and tests hang. `docs/events.md`
 * describes each; a test compares the two.
 */
export interface EventData {
  'process.created': { name: string; label: string; computer: string | null };
  'process.state': { from: string; to: string; exitStatus?: number };
  'process.stage': { from: string | null; to: string };
  'process.paused': { reason: string };
  'process.played': Record<string, never>;
  'process.kill-requested': { reason: string };
  'process.failed-attempt': { stage: string; attempt: number; code: string; message: string; nextAt: number | null };
  'process.clean-requested': { reason: string };
  'process.cleaned': { directory: string };
  'process.clean-failed': { attempt: number; code: string; message: string; nextAt: number | null };
  'process.report': { level: 'info' | 'warning' | 'error'; message: string };
  'job.intended': { attempt: number; jobName: string };
  'job.submitted': { attempt: number; jobName: string; jobId: string };
  'job.submission-unknown': { attempt: number; jobName: string; message: string };
  'job.absent': { attempt: number; jobName: string };
  'job.state': { jobId: string; from: string | null; to: string; word: string; reason?: string };
  'job.adopted': { jobId: string; insteadOf: string };
  'job.ended': { jobId: string; state: string; source: string };
  'computer.opened': { durationMs: number };
  'computer.closed': { reason: string };
  'computer.open-failed': { code: string; message: string; nextAt: number };
  'computer.held': { code: string; message: string };
  'computer.released': Record<string, never>;
  'computer.limit-reached': { message: string; nextAt: number };
  'computer.draining': Record<string, never>;
  'computer.polled': { jobs: number; durationMs: number };
  'computer.poll-failed': { code: string; message: string };
}
export type EventType = keyof EventData;

/** An event to be written with the change that it tells of. */
export type NewEvent = {
  [T in EventType]: { readonly type: T; readonly data: EventData[T]; readonly computerId?: number };
}[EventType];

/**
 * Writes events, in a transaction of their own unless they are given one: only there is it certain that nobody else
 * writes, so that whoever follows them sees their ids in order. `processId` is null for events of a computer.
 */
export async function writeEvents(
  db: Store | StoreTransaction,
  processId: number | null,
  at: number,
  events: readonly NewEvent[],
): Promise<void> {
  if (events.length === 0) return;
  if (!db.isTransaction) {
    return db.transaction().execute((transaction) => writeEvents(transaction, processId, at, events));
  }
  for (const { type, data, computerId = null } of events) {
    await insertion.run(db, { processId, computerId, at, type, data: JSON.stringify(data) });
  }
}

const insertion = new Prepared<{
  processId: number | null;
  computerId: number | null;
  at: number;
  type: string;
  data: string;
}>((db, value) =>
  db.insertInto('events').values({
    process_id: value('processId'),
    computer_id: value('computerId'),
    at: value('at'),
    type: value('type'),
    data: value('data'),
  }),
);

/** The events of a process, oldest first. */
export async function eventsOf(store: Store, processId: number): Promise<EventRow[]> {
  return store.selectFrom('events').selectAll().where('process_id', '=', processId).orderBy('id').execute();
}

/**
 * Events behind a position, oldest first: what a publisher or a follower has not seen yet.
 * @param processId only those of one process
 */
export async function eventsAfter(
  store: Store,
  position: number,
  limit: number,
  processId?: number,
): Promise<EventRow[]> {
  const events = store.selectFrom('events').selectAll().where('id', '>', position).orderBy('id').limit(limit);
  return (processId === undefined ? events : events.where('process_id', '=', processId)).execute();
}
