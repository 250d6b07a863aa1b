import type { Transition } from '../process/transition.js';
import { barDirectory } from './claim.js';
import { type CalcJobContext, queryContext } from './context.js';
import { runCommand } from './run-command.js';
import { settle } from './settle.js';

/**
 * Carries out an intent to kill. A process that has no job on the computer ends at once; a submission whose outcome is
 * not known is settled first; a job is cancelled, and the process goes on to be updated until its end is confirmed.
 * Errors: those of `settle` and of the scheduler's cancel command.
 * @returns undefined when the job was cancelled and its end has to be seen in a listing
 */
export async function kill(context: CalcJobContext): Promise<Transition | undefined> {
  const { row, connection, computer, signal } = context;
  if (row.job_id === null) {
    const settled = row.stage === 'submit' ? await settle(context) : undefined;
    if (settled !== undefined) return settled;
  }
  const late = await barDirectory(context);
  const ids = [row.job_id, late].filter((id) => typeof id === 'string');
  if (ids.length === 0) return killed(context);
  const command = computer.scheduler.kill({ ...queryContext(connection, computer), ids });
  computer.scheduler.parseKill(await runCommand(connection, command, signal));
  return row.job_id === null ? killed(context) : undefined;
}

/** The end of a process that was to be killed and has nothing left on the computer. */
export function killed({ row }: Pick<CalcJobContext, 'row'>): Transition {
  return { to: 'killed', changes: { exit_message: row.kill_reason ?? 'killed' } };
}
