import { randomUUID } from 'node:crypto';
import type { ComputerConfig } from '../config/computer.js';
import { nearest } from '../config/nearest.js';
import { InputError, WherryError } from '../errors.js';
import { type NewEvent, writeEvents } from '../store/events.js';
import type { Store } from '../store/store.js';
import type { ComputerRow } from '../store/tables.js';

/**
 * Stores a checked computer. Errors: `already-exists`.
 * @param unlessExists leave an existing one of this label as it is
 */
export async function addComputer(
  store: Store,
  config: ComputerConfig,
  options: { readonly unlessExists?: boolean } = {},
): Promise<ComputerRow> {
  const now = Date.now();
  const row = await store
    .insertInto('computers')
    .values({
      uuid: randomUUID(),
      label: config.label,
      config: JSON.stringify(config),
      created_at: now,
      updated_at: now,
    })
    .onConflict((conflict) => conflict.column('label').doNothing())
    .returningAll()
    .executeTakeFirst();
  if (row !== undefined) return row;
  if (options.unlessExists) return getComputer(store, config.label);
  throw new WherryError('already-exists', `there is a computer "${config.label}" already`, {
    hint: `change it with: wherry computer edit ${config.label}`,
  });
}

/** A computer by label. Errors: `bad-input` with the nearest label. */
export async function getComputer(store: Store, label: string): Promise<ComputerRow> {
  const row = await store.selectFrom('computers').selectAll().where('label', '=', label).executeTakeFirst();
  if (row !== undefined) return row;
  const labels = (await listComputers(store)).map((computer) => computer.label);
  const suggestion = nearest(label, labels);
  throw new InputError(`there is no computer "${label}"${suggestion ? ` (did you mean "${suggestion}"?)` : ''}`, [], {
    hint: `there are: ${labels.join(', ') || 'none'}; add one with: wherry computer add`,
  });
}

export async function listComputers(store: Store): Promise<ComputerRow[]> {
  return store.selectFrom('computers').selectAll().orderBy('label').execute();
}

/**
 * Replaces the configuration and lifts a hold; a running driver takes it over at its next step. The label cannot change.
 */
export async function changeComputer(store: Store, row: ComputerRow, config: ComputerConfig): Promise<ComputerRow> {
  if (config.label !== row.label) {
    throw new InputError(`the label "${row.label}" cannot be changed`, [], { hint: 'add a second computer instead' });
  }
  const now = Date.now();
  return store.transaction().execute(async (transaction) => {
    const changed = await transaction
      .updateTable('computers')
      .set({ config: JSON.stringify(config), updated_at: now, hold: null, open_after: null, open_failures: 0 })
      .where('id', '=', row.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    const released: NewEvent = { type: 'computer.released', computerId: row.id, data: {} };
    await writeEvents(transaction, null, now, row.hold === null ? [] : [released]);
    return changed;
  });
}

/** Removes a computer that no process belongs to. Errors: `bad-input` otherwise. */
export async function removeComputer(store: Store, row: ComputerRow): Promise<void> {
  await store.transaction().execute(async (transaction) => {
    const used = await transaction
      .selectFrom('processes')
      .select((columns) => columns.fn.countAll<number>().as('count'))
      .where('computer_id', '=', row.id)
      .executeTakeFirstOrThrow();
    if (Number(used.count) > 0) {
      throw new InputError(`${used.count} processes belong to "${row.label}"; it cannot be removed`, [], {
        hint: 'their record needs it',
      });
    }
    await transaction.deleteFrom('leases').where('name', '=', `computer:${row.id}`).execute();
    await transaction.deleteFrom('events').where('computer_id', '=', row.id).where('process_id', 'is', null).execute();
    await transaction.deleteFrom('computers').where('id', '=', row.id).execute();
  });
}
