import { sql } from 'kysely';
import { CommandError, WherryError } from '../errors.js';
import type { Command, SubmitOutcome } from '../plugin/scheduler.js';
import { commandLine, quote } from '../plugin/shell.js';
import type { ExecResult } from '../plugin/transport.js';
import { type ExitCode, standardExit } from '../process/exit-codes.js';
import { amend, type Transition } from '../process/transition.js';
import { type NewEvent, writeEvents } from '../store/events.js';
import { fenced } from '../store/leases.js';
import type { SubmissionRow } from '../store/tables.js';
import { type CalcJobContext, deadlines, ownFiles, queryContext } from './context.js';
import { runCommand } from './run-command.js';
import { renderScript } from './script.js';

/** Exit code of the submitting command when it ended before the scheduler was asked. */
const noScript = 97;
const stderrMark = '--- stderr of the scheduler ---';

/**
 * Hands the job to the scheduler, exactly once. The intent is committed first; the command that submits also writes
 * the reply to a marker beside the script. Whoever finds an intent without an outcome asks marker, queue and accounting
 * before anything is submitted again.
 *
 * Errors: `submission-unknown` while nothing is certain yet (look again soon), `limit-reached` for a limit of the site.
 * @returns undefined when it is to be considered again by the limits
 */
export async function submit(context: CalcJobContext): Promise<Transition | undefined> {
  const last = await lastSubmission(context);
  // One that turns out to be absent has to ask the limits like any other before it is submitted again.
  if (last?.outcome === 'intended' || last?.outcome === 'accepted') return settle(context);
  const submission = await intend(context, (last?.attempt ?? 0) + 1);
  return submission && conclude(context, submission, await ask(context, submission));
}

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
async function lastSubmission({
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

/**
 * Write-ahead record: committed, under the lease, before the scheduler hears anything. Undefined where a limit that is
 * shared with other drivers lets it not in.
 */
async function intend(context: CalcJobContext, attempt: number): Promise<SubmissionRow | undefined> {
  const { store, row, lease } = context;
  const now = context.now();
  const jobName = `wherry-${row.id}-${context.nonce()}`;
  return fenced(store, lease, async (transaction) => {
    if ((await context.refuseEntry(transaction)) !== undefined) return undefined;
    await writeEvents(transaction, row.id, now, [{ type: 'job.intended', data: { attempt, jobName } }]);
    return transaction
      .insertInto('submissions')
      .values({ process_id: row.id, attempt, job_name: jobName, intended_at: now, outcome: 'intended' })
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

async function ask(context: CalcJobContext, submission: SubmissionRow): Promise<SubmitOutcome> {
  const { connection, computer, job, row, signal } = context;
  const directory = remoteDirectory(context);
  const script = ownFiles.script(submission.attempt);
  const { workDirectory, options } = queryContext(connection, computer);
  const command = computer.scheduler.submit({
    name: submission.job_name,
    script,
    directory,
    resources: job.resources,
    workDirectory,
    options,
  });
  const ending = `# the end of ${submission.job_name}`;
  const text = renderScript({
    job,
    computer: computer.config,
    scheduler: computer.scheduler,
    jobName: submission.job_name,
    directory,
  });
  let result: ExecResult;
  try {
    result = await connection.exec(submitScript(command, script, ending, ownFiles.marker(submission.attempt)), {
      directory,
      stdin: `${text}${ending}\n`,
      timeout: deadlines.scheduler,
      signal,
    });
  } catch (error) {
    if (!(error instanceof WherryError) || neverRan.has(error.code)) throw error;
    // Whether it happened is found out before anything else is tried.
    const message = `the reply to the submission of process ${row.id} was lost: ${error.message}`;
    throw await unknown(context, submission, message, error);
  }
  return readReply(context, result);
}

/** What a connection says instead of beginning a command. */
const neverRan: ReadonlySet<string> = new Set(['back-pressure', 'file-missing', 'unsafe-path']);

/**
 * One command: script into place, submission, reply into the marker by rename, reply to us. A connection that is lost
 * looks like the end of the script, so that only one with its ending is submitted. Each process counts on a login node.
 */
function submitScript(command: Command, script: string, ending: string, marker: string): string {
  const errors = `${marker}.stderr`;
  const input = command.stdin === undefined ? '</dev/null' : `<<'WHERRY_INPUT'\n${command.stdin}\nWHERRY_INPUT`;
  // sbatch may sleep and retry for minutes; what comes so late would look like a job that never was.
  // Nothing that the site exports by another name is changed for the job.
  return [
    `wherry_script=$(cat) && case $wherry_script in *${quote(`\n${ending}`)}) ;; *) exit ${noScript} ;; esac &&`,
    `  printf '%s\\n' "$wherry_script" > ${quote(script)} && chmod 700 ${quote(script)} || exit ${noScript}`,
    'wherry_limit=; command -v timeout >/dev/null 2>&1 && wherry_limit="timeout 60"',
    `wherry_reply=$($wherry_limit ${commandLine(command.words)} 2>${quote(errors)} ${input}\n)`,
    'wherry_code=$?',
    'wherry_tell() {',
    `  printf '%s\\n%s\\n%s\\n' "$wherry_code" "$wherry_reply" ${quote(stderrMark)}`,
    `  [ ! -s ${quote(errors)} ] || cat ${quote(errors)}`,
    '}',
    `wherry_tell > ${quote(marker)}.part && mv ${quote(marker)}.part ${quote(marker)} && wherry_tell`,
  ].join('\n');
}

function readReply(context: CalcJobContext, result: ExecResult): SubmitOutcome {
  const said = result.stderr.trim() || `exit code ${result.exitCode}`;
  if (result.exitCode === noScript) {
    throw new CommandError(
      'command-failed',
      `the job's directory ${remoteDirectory(context)} cannot be used: ${said}`,
      { ...result, command: 'write the job script' },
      { hint: 'check space, quota and rights of the work directory on the computer' },
    );
  }
  // The scheduler may have been asked already.
  if (result.exitCode !== 0) return { kind: 'unknown', message: `the command that submits failed: ${said}` };
  return parseMarker(context, result.stdout);
}

function parseMarker({ computer }: CalcJobContext, text: string): SubmitOutcome {
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
  // Ended by the limit: a scheduler that was asking us to wait has no job, any other may have one.
  const cutOff = code === '124' || code === '137';
  if (!cutOff || (outcome.kind === 'refused' && outcome.reason === 'limit')) return outcome;
  return { kind: 'unknown', message: 'the scheduler did not answer within a minute' };
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

async function unknown(
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

export const waitingForUnknown = 'submission unknown: marker, queue and accounting are being asked';

async function conclude(
  context: CalcJobContext,
  submission: SubmissionRow,
  outcome: SubmitOutcome,
): Promise<Transition> {
  if (outcome.kind === 'accepted') return accepted(context, submission, outcome.jobId);
  if (outcome.kind === 'unknown') throw await unknown(context, submission, outcome.message);
  await resolve(context, submission, { outcome: 'refused', message: outcome.message });
  if (outcome.reason === 'permanent') {
    const exit: ExitCode = standardExit(
      outcome.exitStatus === 131 ? 'INVALID_ACCOUNT' : 'SCHEDULER_REFUSED',
      outcome.message,
    );
    return { to: 'finished', exit, changes: { job_id: null } };
  }
  throw new WherryError(
    outcome.reason === 'limit' ? 'limit-reached' : 'scheduler-unavailable',
    outcome.reason === 'limit' ? outcome.message : `the scheduler accepts no job for now: ${outcome.message}`,
    { transient: true, hint: 'it is tried again by itself' },
  );
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
      // It is asked about with the next listing that the interval allows; labels that are new queue up behind it.
      await transaction
        .updateTable('computers')
        .set({
          poll_at: null,
          site_limit: null,
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

function remoteDirectory({ row }: CalcJobContext): string {
  if (row.remote_directory === null) throw new WherryError('internal', `process ${row.id} has no directory yet`);
  return row.remote_directory;
}
