import { sql } from 'kysely';
import { writeEvents } from '../store/events.js';
import { fromJson, type Store, type StoreTransaction } from '../store/store.js';
import type { CleaningRow, ProcessRow } from '../store/tables.js';
import { isOwnDirectory, ownerOfPath } from './job-directory.js';

/** Why a directory could not be removed. */
export interface CleaningFailure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** What is known of the removal of a calcjob's directory; undefined when nobody has asked for it. */
export async function cleaningOf(store: Store, processId: number): Promise<CleaningRow | undefined> {
  return store.selectFrom('cleanings').selectAll().where('process_id', '=', processId).executeTakeFirst();
}

export function failureOf({ failure }: Pick<CleaningRow, 'failure'>): CleaningFailure | undefined {
  return fromJson<CleaningFailure>(failure);
}

/** Was it refused, so that nothing of the directory was touched? */
export function isRefused(cleaning: Pick<CleaningRow, 'failure' | 'due_at'>): boolean {
  return cleaning.due_at === null && failureOf(cleaning)?.code === 'unsafe-path';
}

/**
 * Asks for the removal of the directories of ended calcjobs: whoever drives their computers sees to it. What was given up
 * is tried again; what was removed already stays so.
 * @param by the workflow that asks, if it is one
 */
export async function requestCleaning(
  transaction: StoreTransaction,
  rows: readonly Pick<ProcessRow, 'id' | 'computer_id'>[],
  { reason, by = null }: { readonly reason: string; readonly by?: number | null },
  now: number,
): Promise<void> {
  const wish = { requested_at: now, requested_by: by, due_at: now, attempts: 0, failure: null };
  for (const { id, computer_id } of rows) {
    if (computer_id === null) continue;
    const asked = await transaction
      .insertInto('cleanings')
      .values({ process_id: id, computer_id, ...wish })
      .onConflict((conflict) =>
        conflict.column('process_id').doUpdateSet(wish).where('cleanings.cleaned_at', 'is', null),
      )
      .returning('process_id')
      .executeTakeFirst();
    if (asked === undefined) continue;
    await writeEvents(transaction, id, now, [{ type: 'process.clean-requested', data: { reason } }]);
  }
}

/** Asks for the removal of the directories of all calcjobs that a workflow called, and those that these called. */
export async function requestCleaningBelow(
  transaction: StoreTransaction,
  workflowId: number,
  now: number,
): Promise<void> {
  const rows = await transaction
    .withRecursive('below', (db) =>
      db
        .selectFrom('processes')
        .select('id')
        .where('parent_id', '=', workflowId)
        .unionAll(
          db.selectFrom('processes').innerJoin('below', 'below.id', 'processes.parent_id').select('processes.id'),
        ),
    )
    .selectFrom('processes')
    .innerJoin('below', 'below.id', 'processes.id')
    .select(['processes.id', 'processes.uuid', 'computer_id', 'remote_directory', 'ended_at'])
    .where('kind', '=', sql.lit('calcjob'))
    .orderBy('processes.id')
    .execute();
  const living = rows.filter(({ ended_at }) => ended_at === null);
  const own = rows.filter((row) => row.ended_at !== null && isOwnDirectory(row.remote_directory ?? '', row.uuid));
  const reason = `process ${workflowId}, which called it, has ended well`;
  await requestCleaning(transaction, own, { reason, by: workflowId }, now);
  const message = (id: number) => `process ${id} has not ended: its work directory stays`;
  const events = living.map(({ id }) => ({
    type: 'process.report' as const,
    data: { level: 'warning' as const, message: message(id) },
  }));
  await writeEvents(transaction, workflowId, now, events);
}

/**
 * Why nothing can be had any more of the directory of a process: it was removed, or is about to be.
 * @param path a place on the computer, or the number of a process
 * @returns undefined when it may be there, as far as is known
 */
export async function whyCleaned(
  store: Store,
  computerId: number | null,
  path: string | number,
): Promise<string | undefined> {
  const uuid = typeof path === 'string' ? ownerOfPath(path) : undefined;
  if (typeof path === 'string' && uuid === undefined) return undefined;
  const found = await store
    .selectFrom('cleanings')
    .innerJoin('processes', 'processes.id', 'cleanings.process_id')
    .select(['processes.id', 'remote_directory', 'cleanings.due_at', 'cleaned_at', 'failure'])
    .where('processes.computer_id', '=', computerId)
    .where(({ eb }) =>
      typeof path === 'string' ? eb('processes.uuid', '=', uuid ?? '') : eb('processes.id', '=', path),
    )
    .executeTakeFirst();
  if (found === undefined || isRefused(found)) return undefined;
  const directory = found.remote_directory ?? '';
  // A stash has the same name elsewhere, and stays.
  if (typeof path === 'string' && path !== directory && !path.startsWith(`${directory}/`)) return undefined;
  const { id, cleaned_at } = found;
  if (cleaned_at === null) return `the work directory of process ${id} is being removed`;
  return `the work directory of process ${id} was removed at ${new Date(Number(cleaned_at)).toISOString()}`;
}
