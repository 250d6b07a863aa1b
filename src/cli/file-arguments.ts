import { whyCleaned } from '../calcjob/cleaned.js';
import type { FileRole } from '../engine/process-files.js';
import { WherryError } from '../errors.js';
import type { Store } from '../store/store.js';
import type { ComputerRow, ProcessRow } from '../store/tables.js';
import { flag } from './command.js';
import { usageError } from './errors.js';

/** Which files are meant; the outputs unless something else is said. */
export const whichFiles = {
  inputs: flag('the files that were sent'),
  outputs: flag('the files that were brought back (default)'),
  remote: flag('the files in the directory on the computer, as they are now'),
};

interface Which {
  readonly inputs: boolean;
  readonly outputs: boolean;
  readonly remote: boolean;
}

/** The one kind of files that is asked for. */
export function fileRole({ inputs, outputs, remote }: Which): FileRole | 'remote' {
  if ([inputs, outputs, remote].filter(Boolean).length > 1) {
    throw usageError('--inputs, --outputs and --remote exclude each other', 'give one of them');
  }
  if (remote) return 'remote';
  return inputs ? 'inputs' : 'outputs';
}

/** The computer on which a process has its directory. Errors: `not-found` while it has none, and when it has none more. */
export async function computerOfFiles(store: Store, row: ProcessRow): Promise<ComputerRow> {
  const { remote_directory: directory, computer_id: computerId } = row;
  if (directory === null || computerId === null) {
    throw new WherryError('not-found', `process ${row.id} has no directory on a computer`, {
      hint: `see: wherry explain ${row.id}`,
    });
  }
  const cleaned = await whyCleaned(store, computerId, row.id);
  if (cleaned !== undefined) {
    throw new WherryError('not-found', cleaned, { hint: `what was brought back is here: wherry files ls ${row.id}` });
  }
  return store.selectFrom('computers').selectAll().where('id', '=', computerId).executeTakeFirstOrThrow();
}
