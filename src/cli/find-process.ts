import { InputError, WherryError } from '../errors.js';
import type { Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import { printable } from './terminal.js';

/**
 * The process that somebody means: by number, by uuid or by the beginning of one (four characters or more).
 * Errors: `not-found`; `bad-input` when the text is no id or means several.
 */
export async function findProcess(store: Store, text: string): Promise<ProcessRow> {
  const query = store.selectFrom('processes').selectAll();
  if (/^[1-9]\d{0,14}$/.test(text)) {
    const row = await query.where('id', '=', Number(text)).executeTakeFirst();
    if (row !== undefined) return row;
    if (text.length < 4) throw missing(text);
  }
  const prefix = text.toLowerCase();
  if (!/^[0-9a-f][0-9a-f-]{3,35}$/.test(prefix)) {
    throw new InputError(`"${printable(text)}" is no id of a process`, [], {
      hint: 'an id is a small number, a uuid, or at least the first four characters of one; see: wherry ps --all',
    });
  }
  // Hexadecimal digits and dashes all come before `g`.
  const rows = await query
    .where('uuid', '>=', prefix)
    .where('uuid', '<', `${prefix}g`)
    .orderBy('id')
    .limit(6)
    .execute();
  const [only] = rows;
  if (only === undefined) throw missing(text);
  if (rows.length === 1) return only;
  const shown = rows.slice(0, 5).map((row) => `${row.id} (${row.uuid})`);
  if (rows.length > shown.length) shown.push('and more');
  throw new InputError(`"${text}" means several processes: ${shown.join(', ')}`, [], { hint: 'give more characters' });
}

/** Several processes, in the order they were named, none twice. */
export async function findProcesses(store: Store, texts: readonly string[]): Promise<ProcessRow[]> {
  const rows = new Map<number, ProcessRow>();
  for (const text of texts) {
    const row = await findProcess(store, text);
    rows.set(row.id, row);
  }
  return [...rows.values()];
}

/** All processes that have not ended. */
export async function livingProcesses(store: Store): Promise<ProcessRow[]> {
  return store.selectFrom('processes').selectAll().where('ended_at', 'is', null).orderBy('id').execute();
}

function missing(text: string): WherryError {
  return new WherryError('not-found', `there is no process ${printable(text)}`, {
    hint: 'list them with: wherry ps --all',
  });
}
