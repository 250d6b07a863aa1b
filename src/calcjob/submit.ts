import { CommandError, WherryError } from '../errors.js';
import type { Command } from '../plugin/scheduler.js';
import { commandLine, quote } from '../plugin/shell.js';
import type { ExecResult } from '../plugin/transport.js';
import type { Transition } from '../process/transition.js';
import { writeEvents } from '../store/events.js';
import { fenced } from '../store/leases.js';
import type { SubmissionRow } from '../store/tables.js';
import { type CalcJobContext, deadlines, ownFiles, queryContext, remoteDirectory } from './context.js';
import { renderScript } from './script.js';
import { conclude, lastSubmission, type Outcome, parseMarker, settle, stderrMark, unknown } from './settle.js';

/** Exit code of the submitting command when it ended before the scheduler was asked. */
const noScript = 97;

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
 * Write-ahead record: committed, under the lease, before the scheduler hears anything. Undefined where a limit that is
 * shared with other drivers lets it not in.
 */
async function intend(context: CalcJobContext, attempt: number): Promise<SubmissionRow | undefined> {
  const { store, row, lease } = context;
  const now = context.now();
  const jobName = `wherry-${row.id}-${context.nonce()}`;
  return fenced(store, lease, async (transaction) => {
    // A process that was killed by force meanwhile must not leave a job that nobody has told of.
    const stored = await transaction
      .selectFrom('processes')
      .select('stage')
      .where('id', '=', row.id)
      .executeTakeFirst();
    if (stored?.stage !== row.stage)
      throw new WherryError('transition-refused', `process ${row.id} has gone on without us`);
    if ((await context.refuseEntry(transaction)) !== undefined) return undefined;
    await writeEvents(transaction, row.id, now, [{ type: 'job.intended', data: { attempt, jobName } }]);
    return transaction
      .insertInto('submissions')
      .values({ process_id: row.id, attempt, job_name: jobName, intended_at: now, outcome: 'intended' })
      .returningAll()
      .executeTakeFirstOrThrow();
  });
}

async function ask(context: CalcJobContext, submission: SubmissionRow): Promise<Outcome> {
  const { connection, computer, job, row, signal } = context;
  const directory = remoteDirectory(context);
  const script = ownFiles.script(submission.attempt);
  const { workDirectory, options } = queryContext(connection, computer);
  const command = computer.scheduler.submit({
    name: submission.job_name,
    script,
    directory,
    resources: job.resources,
    beginTime: job.beginTime,
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
  // Whoever slept between the intent and now may have been taken over, and its submission for one that never was.
  if (context.now() - submission.intended_at > mostDelay) {
    throw await unknown(context, submission, `the submission of process ${row.id} was not sent in time`);
  }
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

/** Milliseconds after its intent by which a submission is sent or never: all it does is over when it is settled. */
const mostDelay = 30_000;

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

function readReply(context: CalcJobContext, result: ExecResult): Outcome {
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
