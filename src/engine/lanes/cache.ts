import { sql } from 'kysely';
import type { ProcessDefinition } from '../../process/definition.js';
import { insertLinks } from '../../store/data.js';
import { writeEvents } from '../../store/events.js';
import type { StoreTransaction } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';

/** The latest process with the same definition, version and inputs that ended well, or in a way that may be taken over. */
export async function equalProcess(
  transaction: StoreTransaction,
  fingerprint: string,
  { exitCodes = {} }: Pick<ProcessDefinition, 'exitCodes'>,
): Promise<ProcessRow | undefined> {
  const known = Object.entries(exitCodes).filter(([, { cache }]) => cache === true);
  return (
    transaction
      .selectFrom('processes')
      .selectAll()
      .where('fingerprint', '=', fingerprint)
      .where('state', '=', 'finished')
      // Those that have not finished are not in the index.
      .where('exit_status', 'is not', null)
      .where(({ eb, or, and }) =>
        or([
          eb('exit_status', '=', 0),
          ...known.map(([label, { status }]) => and([eb('exit_status', '=', status), eb('exit_label', '=', label)])),
        ]),
      )
      // What those gave of their work directories leads nowhere.
      .where(sql<boolean>`not exists
        (select 1 from cleanings where process_id = coalesce(processes.cached_from, processes.id))`)
      .orderBy('id', 'desc')
      .limit(1)
      .executeTakeFirst()
  );
}

/** Ends a process that was only just stored as its equal ended, with the same outputs. @returns how it is now */
export async function takeOver(
  transaction: StoreTransaction,
  row: ProcessRow,
  equal: ProcessRow,
  now: number,
): Promise<ProcessRow> {
  if (row.ended_at !== null) return row;
  const outputs = await transaction
    .selectFrom('links')
    .select(['label', 'data_id'])
    .where('process_id', '=', equal.id)
    .where('type', 'in', ['create', 'return'])
    .execute();
  const exitStatus = equal.exit_status ?? 0;
  const links = outputs.map(({ label, data_id }) => ({ label, type: 'return' as const, dataId: data_id }));
  await insertLinks(transaction, row.id, links);
  const files = await transaction
    .selectFrom('files')
    .selectAll()
    .where('process_id', '=', equal.id)
    .where('role', '=', 'outputs')
    .execute();
  for (let start = 0; start < files.length; start += 1_000) {
    const copies = files.slice(start, start + 1_000).map((file) => ({ ...file, process_id: row.id }));
    await transaction.insertInto('files').values(copies).execute();
  }
  await writeEvents(transaction, row.id, now, [
    { type: 'process.report', data: { level: 'info', message: `takes over what the equal process ${equal.id} gave` } },
    { type: 'process.state', data: { from: row.state, to: 'finished', exitStatus } },
  ]);
  return transaction
    .updateTable('processes')
    .set({
      state: 'finished',
      stage: null,
      due_at: null,
      ended_at: now,
      updated_at: now,
      exit_status: exitStatus,
      exit_label: equal.exit_label,
      exit_message: equal.exit_message,
      outputs: equal.outputs,
      cached_from: equal.cached_from ?? equal.id,
    })
    .where('id', '=', row.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
