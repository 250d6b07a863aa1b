import { randomUUID } from 'node:crypto';
import type { ComputerConfig } from '../config/computer.js';
import { nearest } from '../config/nearest.js';
import { InputError, WherryError } from '../errors.js';
import { type NewEvent, writeEvents } from '../store/events.js';
import { fromJson, type Store } from '../store/store.js';
import type { ComputerRow } from '../store/tables.js';
import { computerLease } from './computer-lease.js';
import { disabled } from './computer-unavailable.js';

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
 * Replaces the configuration and lifts a hold, unless a person put it there; a running driver takes it over at its next
 * step. The label cannot change.
 */
export async function changeComputer(store: Store, row: ComputerRow, config: ComputerConfig): Promise<ComputerRow> {
  if (config.label !== row.label) {
    throw new InputError(`the label "${row.label}" cannot be changed`, [], { hint: 'add a second computer instead' });
  }
  const now = Date.now();
  const kept = isDisabled(row) ? row.hold : null;
  return store.transaction().execute(async (transaction) => {
    const changed = await transaction
      .updateTable('computers')
      .set({ config: JSON.stringify(config), updated_at: now, hold: kept, ...fresh })
      .where('id', '=', row.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await writeEvents(transaction, null, now, row.hold === kept ? [] : [released(row)]);
    return changed;
  });
}

/** What a computer has met is forgotten, so that it is tried at once. */
const fresh = { open_after: null, open_failures: 0, site_limit: null, poll_at: null } as const;

function released(row: ComputerRow): NewEvent {
  return { type: 'computer.released', computerId: row.id, data: {} };
}

/** Was it put out of use by a person? */
export function isDisabled({ hold }: Pick<ComputerRow, 'hold'>): boolean {
  return fromJson<{ code: string }>(hold)?.code === disabled;
}

/** From now on nothing new is uploaded or submitted; what is there is finished. */
export async function drainComputer(store: Store, row: ComputerRow, now = Date.now()): Promise<void> {
  const draining: NewEvent = { type: 'computer.draining', computerId: row.id, data: {} };
  await changeUse(store, row, now, { draining_since: row.draining_since ?? now }, draining);
}

/** From now on nothing at all is sent: no connection is opened, the present one is closed. Jobs there run on. */
export async function disableComputer(store: Store, row: ComputerRow, now = Date.now()): Promise<void> {
  const message = 'it was disabled by hand';
  const hold = JSON.stringify({ code: disabled, message, since: now });
  const data = { code: disabled, message };
  if (!isDisabled(row)) await changeUse(store, row, now, { hold }, { type: 'computer.held', computerId: row.id, data });
}

/** Ends draining, any hold and the waiting time of a computer that could not be reached. */
export async function enableComputer(store: Store, row: ComputerRow, now = Date.now()): Promise<void> {
  await changeUse(store, row, now, { hold: null, draining_since: null, ...fresh }, released(row));
}

async function changeUse(
  store: Store,
  row: ComputerRow,
  now: number,
  changes: Partial<ComputerRow>,
  event: NewEvent,
): Promise<void> {
  await store.transaction().execute(async (transaction) => {
    await transaction
      .updateTable('computers')
      .set({ ...changes, updated_at: now })
      .where('id', '=', row.id)
      .execute();
    await writeEvents(transaction, null, now, [event]);
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
    const codes = await transaction.selectFrom('codes').select('label').where('computer_id', '=', row.id).execute();
    if (codes.length > 0) {
      const names = codes.map(({ label }) => `${label}@${row.label}`).join(' ');
      throw new InputError(`there are codes on "${row.label}"; it cannot be removed`, [], {
        hint: `remove them first: wherry code remove ${names}`,
      });
    }
    await transaction.deleteFrom('leases').where('name', '=', computerLease(row.id)).execute();
    await transaction.deleteFrom('events').where('computer_id', '=', row.id).where('process_id', 'is', null).execute();
    await transaction.deleteFrom('computers').where('id', '=', row.id).execute();
  });
}
