import type { JobInfo } from '../plugin/scheduler.js';
import { endedJobStates } from '../plugin/scheduler.js';
import type { Transition } from '../process/transition.js';
import type { NewEvent } from '../store/events.js';
import type { ProcessChanges, ProcessRow } from '../store/tables.js';
import { type CalcJobState, type JobEnd, readState, writeState } from './context.js';

/** What a listing is compared with: never the large columns, for there may be a hundred thousand. */
export const queuedColumns = [
  'id',
  'state',
  'stage',
  'stage_since',
  'checkpoint',
  'kill_requested_at',
  'kill_reason',
  'remote_directory',
  'job_id',
  'scheduler_state',
  'scheduler_reason',
  'waiting_for',
  'waiting_since',
  'due_at',
  'attempts',
  'created_at',
] as const satisfies readonly (keyof ProcessRow)[];
export type QueuedRow = Pick<ProcessRow, (typeof queuedColumns)[number]>;

/** What the sources say of one job after a good listing. */
export interface Evidence {
  /** From the listing; absent when the job was not in it. */
  readonly listed?: JobInfo | undefined;
  /** From the scheduler's records; asked only where the listing leaves something open. */
  readonly recorded?: JobInfo | undefined;
  /** The records were asked and gave no answer: that the job is missing counts for nothing this time. */
  readonly recordsSilent?: boolean | undefined;
  /** Exit code in the job's own exit file; asked for the same jobs. */
  readonly exitFile?: number | undefined;
}

/**
 * After so long, and so many good listings in a row, a job that no source knows is given up; after much longer where the
 * records give no answer. Milliseconds.
 */
export const grace = { time: 300_000, listings: 3, withoutRecords: 86_400_000 } as const;

/**
 * Does this listing alone leave open whether the job lives, or how it ended? Then a second source is asked. Slurm's
 * queue says `failed` of a job whose step ran out of memory; only the records know better.
 */
export function needsSecondSource(listed: JobInfo | undefined): boolean {
  return (
    listed === undefined || listed.state === 'unknown' || (listed.state === 'failed' && listed.exitCode === undefined)
  );
}

/**
 * Decides what a listing means for one calcjob. A job that is merely absent goes on waiting: it is over when the
 * scheduler says so in queue or accounting, when its own exit file says so, or when nobody has known it for the
 * grace period. A killed process ends where its job ends.
 * @returns undefined when nothing has changed
 */
export function update(row: QueuedRow, evidence: Evidence, now: number): Transition | undefined {
  const state = readState(row);
  const isKilled = row.kill_requested_at !== null;
  const end = endOf(state, evidence, now, isKilled);
  const info = end?.info ?? evidence.listed ?? evidence.recorded;
  if (end !== undefined && isKilled) {
    return { to: 'killed', changes: { ...columnsOf(info), exit_message: row.kill_reason ?? 'killed' } };
  }
  if (end !== undefined) return ended(row, state, end, evidence);
  return stillWaiting(row, state, info, evidence, now);
}

function endOf(state: CalcJobState, evidence: Evidence, now: number, isKilled: boolean): JobEnd | undefined {
  const { listed, recorded, exitFile, recordsSilent } = evidence;
  if (listed !== undefined && endedJobStates.has(listed.state)) return endInQueue(listed, recorded);
  if (listed !== undefined && listed.state !== 'unknown') return undefined;
  if (recorded !== undefined) {
    if (endedJobStates.has(recorded.state)) return { source: 'accounting', info: recorded };
    // The records still show it alive: the listing was wrong or too early.
    if (recorded.state !== 'unknown' && exitFile === undefined) return undefined;
  }
  const since = state.absentSince ?? now;
  // A signal ended the command, and only the scheduler knows why: it is given time to tell of a walltime or a cancel.
  const isUntold = listed === undefined && (exitFile ?? 0) > 128 && now - since < grace.time;
  if (exitFile !== undefined) return isUntold && !isKilled ? undefined : { source: 'exit-file' };
  if (listed !== undefined) return undefined;
  const listings = (state.absentListings ?? 0) + 1;
  const isGone = recordsSilent
    ? now - since >= grace.withoutRecords
    : listings >= grace.listings && now - since >= grace.time;
  return isGone ? { source: 'absence' } : undefined;
}

/** The queue's word for the end, unless the records tell more; they may lag behind by a moment, and are waited for. */
function endInQueue(listed: JobInfo, recorded: JobInfo | undefined): JobEnd | undefined {
  if (!needsSecondSource(listed) || recorded === undefined) return { source: 'queue', info: listed };
  return endedJobStates.has(recorded.state) ? { source: 'accounting', info: recorded } : undefined;
}

function ended(row: QueuedRow, state: CalcJobState, end: JobEnd, { exitFile }: Evidence): Transition {
  const { absentSince: _since, absentListings: _listings, ...kept } = state;
  const next: CalcJobState = { ...kept, end, ...(exitFile === undefined ? {} : { commandExit: exitFile }) };
  const word = end.info?.state ?? (end.source === 'exit-file' ? 'done' : 'unknown');
  return {
    to: 'waiting',
    stage: state.stash === 'wanted' ? 'stash' : 'retrieve',
    changes: { checkpoint: writeState(next), ...columnsOf(end.info), scheduler_state: word },
    events: [{ type: 'job.ended', data: { jobId: row.job_id ?? '', state: word, source: end.source } }],
  };
}

function stillWaiting(
  row: QueuedRow,
  state: CalcJobState,
  info: JobInfo | undefined,
  evidence: Evidence,
  now: number,
): Transition | undefined {
  // Records with a word that we do not know tell no more than none.
  const absent = evidence.listed === undefined && (info === undefined || info.state === 'unknown');
  const { absentSince, absentListings, ...kept } = state;
  const next: CalcJobState = absent
    ? {
        ...kept,
        absentSince: absentSince ?? now,
        absentListings: (absentListings ?? 0) + (evidence.recordsSilent ? 0 : 1),
      }
    : kept;
  // Reason, due time and failures of a process that is being killed belong to the cancel command.
  const killing = row.kill_requested_at !== null;
  const reason = absent ? 'a second source: the job is in no listing' : waitingReason(info);
  const waitingFor = killing ? row.waiting_for : reason;
  const changed = waitingFor !== row.waiting_for;
  const checkpoint = writeState(next);
  const events = stateEvents(row, info);
  const same = !changed && !absent && events.length === 0 && (killing || row.attempts === 0);
  if (same && (row.checkpoint === null || row.checkpoint === checkpoint)) return undefined;
  return {
    to: 'waiting',
    stage: 'update',
    dueAt: row.due_at ?? now,
    changes: {
      checkpoint,
      ...columnsOf(info),
      waiting_for: waitingFor,
      waiting_since: changed ? now : row.waiting_since,
      // A good listing ends any series of failures.
      ...(killing ? {} : { attempts: 0, last_error: null }),
    },
    events,
  };
}

function waitingReason(info: JobInfo | undefined): string {
  if (info === undefined) return 'the scheduler';
  const reason = info.reason === undefined || info.reason === '' ? '' : ` (${info.reason})`;
  return `the scheduler: ${info.state}${reason}`;
}

function columnsOf(info: JobInfo | undefined): ProcessChanges {
  if (info === undefined) return {};
  return {
    scheduler_state: info.state,
    scheduler_word: info.word,
    scheduler_reason: info.reason ?? null,
    job_info: JSON.stringify(info),
  };
}

function stateEvents(row: QueuedRow, info: JobInfo | undefined): NewEvent[] {
  if (info === undefined || (info.state === row.scheduler_state && (info.reason ?? null) === row.scheduler_reason))
    return [];
  const reason = info.reason === undefined ? {} : { reason: info.reason };
  return [
    {
      type: 'job.state',
      data: { jobId: info.id, from: row.scheduler_state, to: info.state, word: info.word, ...reason },
    },
  ];
}
