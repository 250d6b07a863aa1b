import type { Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import { flag, type PositionalTable } from './command.js';
import { usageError } from './errors.js';
import { findProcesses, livingProcesses } from './find-process.js';

/** Arguments that choose processes: ids, or all that have not ended. */
export const chosenPositionals = {
  ids: { type: 'string', array: true, describe: 'number, uuid or the beginning of a uuid' },
} as const satisfies PositionalTable;
export const allFlag = flag('all that have not ended');

/** The processes that are meant. Neither or both ways of choosing is bad usage. */
export async function chosenProcesses(
  store: Store,
  { ids = [], all }: { readonly ids?: readonly string[] | undefined; readonly all: boolean },
): Promise<ProcessRow[]> {
  if (all && ids.length > 0) throw usageError('ids and --all exclude each other', 'give either of them');
  if (!all && ids.length === 0) throw usageError('no process is named', 'give ids (see: wherry ps), or --all');
  return all ? livingProcesses(store) : findProcesses(store, ids);
}
