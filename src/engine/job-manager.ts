import { type CalcJobContext, deadlines, ownFiles, queryContext } from '../calcjob/context.js';
import { parseExitFile } from '../calcjob/retrieve.js';
import { runCommand } from '../calcjob/run-command.js';
import { type Evidence, needsSecondSource } from '../calcjob/update.js';
import { WherryError } from '../errors.js';
import type { JobInfo } from '../plugin/scheduler.js';
import { quote } from '../plugin/shell.js';
import type { Connection } from '../plugin/transport.js';
import type { ProcessRow } from '../store/tables.js';

type PollContext = Pick<CalcJobContext, 'computer' | 'connection' | 'signal'>;

/**
 * Asks about all jobs of a computer at once: one listing, and for the jobs that it does not show as alive one look
 * into the records and one at their exit files.
 * Errors: `scheduler-unavailable` when the listing is no complete answer; nothing is concluded then.
 * @returns evidence by process id
 */
export async function gatherEvidence(
  context: PollContext,
  rows: readonly ProcessRow[],
): Promise<Map<number, Evidence>> {
  const { computer, connection, signal } = context;
  const { scheduler } = computer;
  const ids = rows.map((row) => row.job_id).filter((id) => id !== null);
  const query = { ...queryContext(connection, computer), ids };
  const listed = byId(scheduler.parseList(await runCommand(connection, scheduler.list(query), signal)));
  const open = rows.filter((row) => needsSecondSource(listed.get(row.job_id ?? '')));
  const [recorded, exits] =
    open.length === 0 ? [new Map<string, JobInfo>(), new Map<number, number>()] : await secondSources(context, open);
  return new Map(
    rows.map((row) => [
      row.id,
      { listed: listed.get(row.job_id ?? ''), recorded: recorded.get(row.job_id ?? ''), exitFile: exits.get(row.id) },
    ]),
  );
}

async function secondSources(
  context: PollContext,
  rows: readonly ProcessRow[],
): Promise<[Map<string, JobInfo>, Map<number, number>]> {
  const { connection, signal } = context;
  const recorded = await records(context, rows);
  const exits = await exitFiles(connection, rows, signal);
  return [recorded, exits];
}

/** The scheduler's records; that they cannot be had says nothing, and the other sources decide. */
async function records(context: PollContext, rows: readonly ProcessRow[]): Promise<Map<string, JobInfo>> {
  const { computer, connection, signal } = context;
  const { scheduler } = computer;
  if (scheduler.accounting === undefined || scheduler.parseAccounting === undefined) return new Map();
  const ids = rows.map((row) => row.job_id).filter((id) => id !== null);
  const since = Math.min(...rows.map((row) => row.created_at)) - 86_400_000;
  const command = scheduler.accounting({ ...queryContext(connection, computer), ids, since });
  const result = await runCommand(connection, command, signal);
  try {
    return byId(scheduler.parseAccounting(result));
  } catch (error) {
    if (error instanceof WherryError && error.code === 'scheduler-unavailable') return new Map();
    throw error;
  }
}

/** The jobs' own exit files, in one command whose input names the directories. */
async function exitFiles(
  connection: Connection,
  rows: readonly ProcessRow[],
  signal: AbortSignal,
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

function byId(jobs: readonly JobInfo[]): Map<string, JobInfo> {
  return new Map(jobs.map((job) => [job.id, job]));
}
