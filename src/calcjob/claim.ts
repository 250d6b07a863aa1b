import { quote } from '../plugin/shell.js';
import { type CalcJobContext, deadlines, ownFiles } from './context.js';

type ClaimContext = Pick<CalcJobContext, 'store' | 'row' | 'connection' | 'signal'>;

/**
 * A submission that was given up as absent can be acted upon later than anybody waits for: its job may then be the one
 * that has claimed the directory and runs.
 * @returns the scheduler's id of a job that has claimed the directory and is not the one we know of
 */
export async function lateJob(context: ClaimContext): Promise<string | undefined> {
  return (await mayComeLate(context)) ? claimant(context, (claim) => `readlink ${claim} || true`) : undefined;
}

/**
 * Claims the directory of a process that is killed, so that a job which comes late runs nothing.
 * @returns the scheduler's id of a job that has come already and is not the one we know of
 */
export async function barDirectory(context: ClaimContext): Promise<string | undefined> {
  const bar = (claim: string) => `ln -s ${killedMark} ${claim} 2>/dev/null; readlink ${claim} || true`;
  return (await mayComeLate(context)) ? claimant(context, bar) : undefined;
}

const killedMark = 'killed';

/** What a claim says that is no job's id. */
const nobody: ReadonlySet<string | undefined> = new Set([undefined, 'unknown', killedMark]);

async function claimant(context: ClaimContext, command: (claim: string) => string): Promise<string | undefined> {
  const { row, connection, signal } = context;
  const claim = quote(`${row.remote_directory}/${ownFiles.claim}`);
  const answer = await connection.exec(command(claim), { timeout: deadlines.command, signal });
  const id = /^([\w.[\]-]{1,200})\n$/.exec(answer.stdout)?.[1];
  return nobody.has(id) || id === row.job_id ? undefined : id;
}

/** Was a submission of this process given up? */
async function mayComeLate({ store, row }: ClaimContext): Promise<boolean> {
  if (row.remote_directory === null) return false;
  const absent = await store
    .selectFrom('submissions')
    .select('id')
    .where('process_id', '=', row.id)
    .where('outcome', '=', 'absent')
    .limit(1)
    .executeTakeFirst();
  return absent !== undefined;
}
