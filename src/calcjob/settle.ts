import { sql } from 'kysely';
import { WherryError } from '../errors.js';
import type { SubmitOutcome } from '../plugin/scheduler.js';
import { quote } from '../plugin/shell.js';
import { type ExitCode, standardExit } from '../process/exit-codes.js';
import { amend, type Transition } from '../process/transition.js';
import { type NewEvent, writeEvents } from '../store/events.js';
import { fenced } from '../store/leases.js';
import type { SubmissionRow } from '../store/tables.js';
import { type CalcJobContext, deadlines, ownFiles, queryContext, remoteDirectory } from './context.js';
import { beginMonitoring } from './monitors.js';
import { runCommand } from './run-command.js';

/** Stands in a marker between what the scheduler's command printed and what it complained about. */
export const stderrMark = '--- stderr of the scheduler ---';

/**
 * Finds out what became of an earlier submission; undefined when none is on the computer for certain.
 * Errors: `submission-unknown` while that is not certain.
 */
export async function settle(context: CalcJobContext): Promise<Transition | undefined> {
  const last = await lastSubmission(context);
  if (last?.outcome === 'accepted' && last.job_id !== null) return accepted(context, last, last.job_id);
  if (last?.outcome !== 'intended') return undefined;
  const outcome = await recover(context, last);
  return outcome === undefined ? undefined : conclude(context, last, outcome);
}

/** The newest submission of a process. */
export async function lastSubmission({
  store,
  row,
}: Pick<CalcJobContext, 'store' | 'row'>): Promise<SubmissionRow | undefined> {
  return store
    .selectFrom('submissions')
    .selectAll()
    .where('process_id', '=', row.id)
    .orderBy('attempt', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/** An outcome that is unknown may have a cause, of which others should hear. */
export type Outcome = SubmitOutcome & { readonly cause?: WherryError };

/** What the reply of the command that submits, or the marker that it left, says. */
export function parseMarker({ computer }: CalcJobContext, text: string): Outcome {
  const [reply = '', ...rest] = text.split(`\n${stderrMark}\n`);
  const [code = '', ...lines] = reply.split('\n');
  if (rest.length === 0 || !/^\d+$/.test(code))
    return { kind: 'unknown', message: 'the marker on the computer is damaged' };
  const outcome = computer.scheduler.parseSubmit({
    stdout: `${lines.join('\n')}\n`,
    stderr: rest.join(''),
    exitCode: Number(code),
    signal: null,
    durationMs: 0,
  });
  const cutOff = code === '124' || code === '137';
  if (!cutOff) return outcome;
  // Whatever it said before, the scheduler may have the job: one that asks us to wait is asked again by its own command.
  const message = 'the scheduler did not answer within a minute';
  if (outcome.kind !== 'refused' || outcome.reason !== 'limit') return { kind: 'unknown', message };
  return { kind: 'unknown', message: `${message}: ${outcome.message}`, cause: limitReached(outcome.message) };
}

function limitReached(message: string): WherryError {
  return new WherryError('limit-reached', message, { transient: true, hint: 'it is tried again by itself' });
}

/** Looks for the outcome of a submission whose reply was lost; undefined when all sources say that it never arrived. */
async function recover(context: CalcJobContext, submission: SubmissionRow): Promise<SubmitOutcome | undefined> {
  const { connection, computer, signal } = context;
  const { scheduler } = computer;
  // By its full name: where the directory is gone, the queue still is to be asked.
  const file = `${remoteDirectory(context)}/${ownFiles.marker(submission.attempt)}`;
  const marker = await connection.exec(`cat ${quote(file)} 2>/dev/null || true`, {
    timeout: deadlines.command,
    signal,
  });
  if (marker.stdout !== '') {
    const outcome = parseMarker(context, marker.stdout);
    if (outcome.kind !== 'unknown') return outcome;
  }
  const find = scheduler.find({
    ...queryContext(connection, computer),
    name: submission.job_name,
    // A day of slack for clocks that disagree; the name is unique anyway.
    since: submission.intended_at - 86_400_000,
  });
  const found = scheduler.parseFind(await runCommand(connection, find, signal));
  const job = found.find((info) => info.name === undefined || info.name === submission.job_name);
  if (job !== undefined) return { kind: 'accepted', jobId: job.id };
  // The command that was sent may have gone on without us until its own limit; what it did shows a while after that.
  const settled = submission.intended_at + deadlines.scheduler + scheduler.settleTime * 1000;
  if (context.now() < settled) {
    throw await unknown(context, submission, `neither marker, queue nor accounting know ${submission.job_name} yet`);
  }
  await resolve(context, submission, { outcome: 'absent', message: 'marker, queue and accounting do not know it' });
  return undefined;
}

/** Shows everybody that it is not known what became of a submission; returns the error that says so. */
export async function unknown(
  context: CalcJobContext,
  submission: SubmissionRow,
  message: string,
  cause?: unknown,
): Promise<WherryError> {
  const { store, row, lease, signal } = context;
  const data = { attempt: submission.attempt, jobName: submission.job_name, message };
  const now = context.now();
  if (row.waiting_for !== waitingForUnknown && !signal.aborted) {
    await amend(
      store,
      row.id,
      { waiting_for: waitingForUnknown, waiting_since: now },
      { now, lease, events: [{ type: 'job.submission-unknown', data }] },
    );
  }
  return new WherryError('submission-unknown', message, {
    transient: true,
    hint: 'nothing is submitted again before this is certain; it resolves by itself',
    cause,
  });
}

/** What a process waits for whose submission is not known. */
export const waitingForUnknown = 'submission unknown: marker, queue and accounting are being asked';

/** What an outcome means for the process. Errors: `limit-reached`, `scheduler-unavailable`, `submission-unknown`. */
export async function conclude(
  context: CalcJobContext,
  submission: SubmissionRow,
  outcome: Outcome,
): Promise<Transition> {
  if (outcome.kind === 'accepted') return accepted(context, submission, outcome.jobId);
  if (outcome.kind === 'unknown') throw await unknown(context, submission, outcome.message, outcome.cause);
  await resolve(context, submission, { outcome: 'refused', message: outcome.message });
  if (outcome.reason === 'permanent') {
    const exit: ExitCode = standardExit(
      outcome.exitStatus === 131 ? 'INVALID_ACCOUNT' : 'SCHEDULER_REFUSED',
      outcome.message,
    );
    return { to: 'finished', exit, changes: { job_id: null } };
  }
  if (outcome.reason === 'limit') throw limitReached(outcome.message);
  throw new WherryError('scheduler-unavailable', `the scheduler accepts no job for now: ${outcome.message}`, {
    transient: true,
    hint: 'it is tried again by itself',
  });
}

function accepted(context: CalcJobContext, submission: SubmissionRow, jobId: string): Transition {
  const { attempt, job_name: jobName } = submission;
  const { row } = context;
  return {
    to: 'waiting',
    stage: 'update',
    changes: {
      job_id: jobId,
      scheduler_state: 'queued',
      waiting_for: 'the scheduler',
      waiting_since: context.now(),
    },
    events: [{ type: 'job.submitted', data: { attempt, jobName, jobId } }],
    also: async (transaction) => {
      await transaction
        .updateTable('submissions')
        .set({ outcome: 'accepted', job_id: jobId, resolved_at: context.now() })
        .where('id', '=', submission.id)
        .execute();
      await beginMonitoring(transaction, row, context.job, context.now());
      // It is asked about with the next listing that the interval allows; labels that are new queue up behind it.
      await transaction
        .updateTable('computers')
        .set({
          poll_at: null,
          turn: sql<number>`case when turn < ${row.turn} then ${row.turn} else turn end`,
        })
        .where('id', '=', row.computer_id)
        .execute();
    },
  };
}

async function resolve(
  { store, row, lease, now }: CalcJobContext,
  submission: SubmissionRow,
  set: { outcome: 'refused' | 'absent'; message: string },
): Promise<void> {
  const at = now();
  await fenced(store, lease, async (transaction) => {
    await transaction
      .updateTable('submissions')
      .set({ ...set, resolved_at: at })
      .where('id', '=', submission.id)
      .execute();
    // From here on it waits like any other for its turn.
    await transaction
      .updateTable('processes')
      .set({ waiting_for: null, waiting_since: null })
      .where('id', '=', row.id)
      .where('waiting_for', '=', waitingForUnknown)
      .execute();
    const { attempt, job_name: jobName } = submission;
    const events: NewEvent[] =
      set.outcome === 'refused'
        ? [{ type: 'process.report', data: { level: 'warning', message: `the scheduler refused: ${set.message}` } }]
        : [{ type: 'job.absent', data: { attempt, jobName } }];
    await writeEvents(transaction, row.id, at, events);
  });
}
