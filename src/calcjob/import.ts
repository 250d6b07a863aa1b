import { WherryError } from '../errors.js';
import { standardExit } from '../process/exit-codes.js';
import type { Transition } from '../process/transition.js';
import { type CalcJobContext, deadlines, type JobEnd, writeState } from './context.js';

/** Nobody tells how a run ended that others made; what it has left does. */
const end: JobEnd = { source: 'import' };

/**
 * Takes a run that others have made on the computer for the job of a process, instead of an upload: nothing is sent and
 * nothing submitted, and the directory is only ever read.
 */
export async function importRun(context: CalcJobContext, folder: string): Promise<Transition> {
  const { connection, job, signal } = context;
  const directory = folder.replace(/\/+$/, '');
  const changes = { remote_directory: directory };
  if (!(await isFolder())) {
    const refusal = standardExit('MISSING_SOURCE', `${directory} is no directory there`);
    return { to: 'running', stage: 'parse', changes: { ...changes, checkpoint: writeState({ refusal }) } };
  }
  const message = `the run in ${directory} is imported: nothing is submitted`;
  return {
    to: 'waiting',
    stage: job.stash === undefined ? 'retrieve' : 'stash',
    changes: { ...changes, checkpoint: writeState({ end }) },
    events: [{ type: 'process.report', data: { level: 'info', message } }],
  };

  async function isFolder(): Promise<boolean> {
    try {
      return (await connection.stat(directory, { timeout: deadlines.command, signal })).type === 'directory';
    } catch (error) {
      if (error instanceof WherryError && error.code === 'file-missing') return false;
      throw error;
    }
  }
}
