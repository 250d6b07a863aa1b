import { killed } from '../calcjob/kill.js';
import { WherryError } from '../errors.js';
import { isTerminal } from '../process/states.js';
import { carryOut, stateOf } from '../process/transition.js';
import type { Store } from '../store/store.js';
import type { ComputerRow, ProcessRow } from '../store/tables.js';
import { loadComputer } from './loaded-computer.js';

/** A job that may live on, because its process was ended without a word to the computer. */
export interface JobLeft {
  /** Null when it is not known whether the scheduler has it. */
  readonly jobId: string | null;
  readonly jobName: string;
  readonly computer: string;
  readonly directory: string | null;
  /** Ends it over there; undefined where the scheduler has no command for that, or there is no job id. */
  readonly command: string | undefined;
}

/**
 * Ends a process in the store, without asking its computer. Whatever a driver still has in progress for it comes too
 * late: terminal states absorb.
 * @returns whether it was ended by this, and the job that it may leave behind
 */
export async function forceKill(
  store: Store,
  id: number,
  now = Date.now(),
): Promise<{ readonly ended: boolean; readonly left?: JobLeft | undefined }> {
  for (;;) {
    const row = await store.selectFrom('processes').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    if (isTerminal(stateOf(row))) return { ended: false };
    const message = 'killed by force: its computer was not asked';
    try {
      const report = { type: 'process.report', data: { level: 'warning', message } } as const;
      await carryOut(store, row, { ...killed({ row }), events: [report] }, { now });
      return { ended: true, left: await jobLeft(store, row) };
    } catch (error) {
      // A driver was quicker: it is looked at again as it is now.
      if (!(error instanceof WherryError) || error.code !== 'transition-refused') throw error;
    }
  }
}

/** What the scheduler may have of a process that was at this stage. */
async function jobLeft(store: Store, row: ProcessRow): Promise<JobLeft | undefined> {
  if ((row.stage !== 'submit' && row.stage !== 'update') || row.computer_id === null) return undefined;
  const last = await store
    .selectFrom('submissions')
    .selectAll()
    .where('process_id', '=', row.id)
    .orderBy('attempt', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (last === undefined || last.outcome === 'refused' || last.outcome === 'absent') return undefined;
  const computer = await store
    .selectFrom('computers')
    .selectAll()
    .where('id', '=', row.computer_id)
    .executeTakeFirstOrThrow();
  const jobId = row.job_id ?? last.job_id;
  const command = jobId === null ? undefined : await cancelCommand(computer, jobId);
  return { jobId, jobName: last.job_name, computer: computer.label, directory: row.remote_directory, command };
}

/** Commands by which people of the field cancel a job by its id. */
const cancelCommands: ReadonlySet<string> = new Set(['scancel', 'qdel', 'bkill']);

async function cancelCommand(row: ComputerRow, jobId: string): Promise<string | undefined> {
  try {
    const name = (await loadComputer(row)).scheduler.commands.find((command) => cancelCommands.has(command));
    return name === undefined ? undefined : `${name} ${jobId}`;
  } catch {
    // A plugin that is missing must not keep anybody from the end of the process.
    return undefined;
  }
}
