import { setImmediate as nextTurn } from 'node:timers/promises';
import { type CalcJobContext, deadlines, ownFiles, queryContext } from '../calcjob/context.js';
import { parseExitFile } from '../calcjob/retrieve.js';
import { runCommand } from '../calcjob/run-command.js';
import { type Evidence, needsSecondSource, type QueuedRow } from '../calcjob/update.js';
import { WherryError } from '../errors.js';
import type { JobInfo } from '../plugin/scheduler.js';
import { quote } from '../plugin/shell.js';

type PollContext = Pick<CalcJobContext, 'computer' | 'connection' | 'signal'>;

/** Jobs that are read from an answer before everything else of this program gets its turn. */
const slice = 500;

/**
 * One listing for all jobs of a computer. However long it is, reading it does not keep this program from anything.
 * Errors: `scheduler-unavailable` when the listing is no complete answer; nothing may be concluded then.
 * @param everything also the user's jobs that are not among `ids`
 * @returns jobs by the scheduler's id
 */
export async function listJobs(
  { computer, connection, signal }: PollContext,
  ids: readonly string[],
  everything: boolean,
): Promise<Map<string, JobInfo>> {
  const { scheduler } = computer;
  const query = { ...queryContext(connection, computer), ids, everything };
  const result = await runCommand(connection, scheduler.list(query), signal);
  const listed = new Map<string, JobInfo>();
  let read = 0;
  for (const job of scheduler.parseList(result)) {
    listed.set(job.id, job);
    if (++read % slice === 0) await nextTurn();
  }
  return listed;
}

/**
 * What the sources say of some jobs after a listing: of those that it does not show as alive, the records and their own
 * exit files are asked, in one command each.
 * Errors: `scheduler-unavailable` when the exit files could not all be looked at.
 * @returns evidence by process id
 */
export async function gatherEvidence(
  context: PollContext,
  listed: ReadonlyMap<string, JobInfo>,
  rows: readonly QueuedRow[],
): Promise<Map<number, Evidence>> {
  const open = rows.filter((row) => needsSecondSource(listed.get(row.job_id ?? '')));
  const recorded = open.length === 0 ? new Map<string, JobInfo>() : await records(context, open);
  const exits = open.length === 0 ? new Map<number, number>() : await exitFiles(context, open);
  return new Map(
    rows.map((row) => [
      row.id,
      {
        listed: listed.get(row.job_id ?? ''),
        recorded: recorded?.get(row.job_id ?? ''),
        recordsSilent: recorded === undefined,
        exitFile: exits.get(row.id),
      },
    ]),
  );
}

/** The scheduler's records; undefined when they could not be had. A computer without records has nothing in them. */
async function records(
  { computer, connection, signal }: PollContext,
  rows: readonly QueuedRow[],
): Promise<Map<string, JobInfo> | undefined> {
  const { scheduler } = computer;
  if (scheduler.accounting === undefined || scheduler.parseAccounting === undefined) return new Map();
  const ids = rows.map((row) => row.job_id).filter((id) => id !== null);
  const since = Math.min(...rows.map((row) => row.created_at)) - 86_400_000;
  const command = scheduler.accounting({ ...queryContext(connection, computer), ids, since });
  const result = await runCommand(connection, command, signal);
  try {
    return new Map(scheduler.parseAccounting(result).map((job) => [job.id, job]));
  } catch (error) {
    if (error instanceof WherryError && error.code === 'scheduler-unavailable') return undefined;
    throw error;
  }
}

/** The jobs' own exit files, in one command whose input names the directories. */
async function exitFiles(
  { connection, signal }: PollContext,
  rows: readonly QueuedRow[],
): Promise<Map<number, number>> {
  const lines = rows
    .filter((row) => row.remote_directory !== null)
    .map((row) => `show ${row.id} ${quote(`${row.remote_directory}/${ownFiles.exit}`)}`);
  // `read` without a process per file: a poll of thousands stays cheap for the login node.
  const script = [
    'show() { if IFS= read -r code 2>/dev/null < "$2"; then printf "%s %s\\n" "$1" "$code"; fi; }',
    ...lines,
    'echo end',
  ];
  const result = await connection.exec('exec sh -s', {
    stdin: `${script.join('\n')}\n`,
    timeout: deadlines.command,
    signal,
  });
  const answer = result.stdout.split('\n');
  if (answer.at(-2) !== 'end') {
    throw new WherryError('scheduler-unavailable', 'the exit files could not all be looked at', {
      transient: true,
      hint: 'nothing is concluded; it is asked again with the next listing',
    });
  }
  const exits = new Map<number, number>();
  // Only of what was asked.
  for (const line of answer) {
    const [, id, code] = /^(\d+) (\d+)$/.exec(line) ?? [];
    const exit = code === undefined ? undefined : parseExitFile(`${code}\n`);
    if (exit !== undefined) exits.set(Number(id), exit);
  }
  return exits;
}
