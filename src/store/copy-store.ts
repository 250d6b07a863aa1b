import { sql } from 'kysely';
import { InputError, WherryError } from '../errors.js';
import { livingLeases } from './leases.js';
import { isPostgres, type Store, type StoreTransaction } from './store.js';
import type { Tables } from './tables.js';

type TableName = keyof Tables;

/**
 * Every table with the columns of its key, those first that others refer to. The types see to it that none is
 * forgotten here, and `copyStore` that the database has no other.
 */
const keys: Readonly<Record<TableName, readonly string[]>> = {
  settings: ['name'],
  computers: ['id'],
  codes: ['id'],
  processes: ['id'],
  submissions: ['id'],
  process_pools: ['process_id', 'pool'],
  monitors: ['process_id'],
  cleanings: ['process_id'],
  files: ['process_id', 'role', 'path'],
  events: ['id'],
  cursors: ['name'],
  leases: ['name'],
  data: ['id'],
  data_files: ['data_id', 'path'],
  links: ['process_id', 'type', 'label'],
  records: ['process_id', 'position'],
};

/** The tables that are copied, in their order. */
export const copiedTables = Object.keys(keys) as readonly TableName[];

/** Rows that are read and written at once. */
const batch = 500;

export interface CopyProgress {
  readonly table: TableName;
  /** Rows of all tables. */
  readonly copied: number;
  readonly total: number;
}

export interface CopyOptions {
  readonly onProgress?: (progress: CopyProgress) => void;
  readonly signal?: AbortSignal;
  /** Milliseconds since the epoch, for leases. Default: now. */
  readonly now?: number;
  /** Called when the copy is there for good, and nobody can write into the source yet. */
  readonly onCopied?: () => Promise<void>;
}

/** A row of any table. */
type Row = Record<string, unknown>;

/**
 * Copies a whole store into an empty one on PostgreSQL, with ids, events and the uuid of the profile: all of it or
 * nothing. The files of the repository stay where they are. While it is copied nobody can write into either store.
 * Errors: `bad-input` when the target is not on PostgreSQL or not empty; `daemon-running` when somebody works on the
 * source; `aborted`; `store-failed`.
 * @returns how many rows there were of each table
 */
export async function copyStore(
  from: Store,
  to: Store,
  options: CopyOptions = {},
): Promise<Readonly<Record<TableName, number>>> {
  if (!isPostgres(to)) throw new InputError('a store can be copied into a PostgreSQL database only');
  return from.transaction().execute(async (source) => {
    await expectTables(source);
    await expectIdle(source, options.now ?? Date.now());
    const counts = await to.transaction().execute(async (target) => {
      await expectEmpty(target);
      return copyAll(source, target, options);
    });
    await close(source);
    await options.onCopied?.();
    return counts;
  });
}

/** Whoever waited to write into a store that has been copied must not do so: nobody would ever read it. */
async function close(source: StoreTransaction): Promise<void> {
  if (isPostgres(source)) return;
  for (const table of ['processes', 'computers'] as const) {
    for (const event of ['insert', 'update', 'delete'] as const) {
      const name = sql.id(`moved_${table}_${event}`);
      await sql`create trigger ${name} before ${sql.raw(event)} on ${sql.table(table)}
        begin select raise(abort, 'this store was moved to PostgreSQL; run the command again'); end`.execute(source);
    }
  }
}

/** Errors: `internal`, where a table would be left behind. */
async function expectTables(source: StoreTransaction): Promise<void> {
  const known: readonly string[] = copiedTables;
  const strangers = (await tablesOf(source)).filter((name) => !known.includes(name));
  if (strangers.length > 0) {
    throw new WherryError('internal', `nobody has said how the table ${strangers.join(', ')} is copied`);
  }
}

async function tablesOf(db: StoreTransaction): Promise<string[]> {
  // What belongs to the database itself and to the steps of its tables is left out.
  const schema = isPostgres(db)
    ? (await sql<{ name: string }>`select current_schema() as name`.execute(db)).rows[0]
    : undefined;
  const tables = await db.introspection.getTables();
  return tables.filter((table) => table.schema === schema?.name && !table.isView).map(({ name }) => name);
}

/** Errors: `daemon-running`. */
async function expectIdle(source: StoreTransaction, now: number): Promise<void> {
  const [lease] = await livingLeases(source, '', now);
  if (lease === undefined) return;
  throw new WherryError(
    'daemon-running',
    `process ${lease.pid} on ${lease.host} works with this store (${lease.name})`,
    {
      hint: 'stop the daemon (wherry daemon stop) and whatever else runs with this profile, and try again',
    },
  );
}

/** Errors: `bad-input`. */
async function expectEmpty(target: StoreTransaction): Promise<void> {
  for (const table of copiedTables) {
    // Its settings were made with it, and give way to those of the source.
    if (table === 'settings' || (await count(target, table)) === 0) continue;
    throw new InputError(`the database is not empty: it has ${table}`, [], {
      hint: 'give one that is new; have it made with: createdb',
    });
  }
  await target.deleteFrom('settings').execute();
}

async function copyAll(
  source: StoreTransaction,
  target: StoreTransaction,
  { onProgress, signal }: CopyOptions,
): Promise<Record<TableName, number>> {
  const counts = Object.fromEntries(copiedTables.map((table) => [table, 0])) as Record<TableName, number>;
  for (const table of copiedTables) counts[table] = await count(source, table);
  const total = Object.values(counts).reduce((sum, rows) => sum + rows, 0);
  let copied = 0;
  for (const table of copiedTables) {
    for await (const rows of batchesOf(source, table)) {
      if (signal?.aborted) throw new WherryError('aborted', 'the copying was stopped; nothing has been copied');
      await target
        .insertInto(named(table))
        .values(rows as never)
        .execute();
      copied += rows.length;
      onProgress?.({ table, copied, total });
    }
    const arrived = await count(target, table);
    if (arrived !== counts[table]) {
      throw new WherryError('store-failed', `${arrived} of ${counts[table]} rows of ${table} arrived; nothing is kept`);
    }
    if (hasIds(table)) await goOnWithIds(source, target, table);
  }
  await sql`analyze ${sql.join(copiedTables.map((table) => sql.table(table)))}`.execute(target);
  return counts;
}

/** All rows in the order of their key. */
async function* batchesOf(source: StoreTransaction, table: TableName): AsyncGenerator<Row[]> {
  const columns = sql.join(keys[table].map((column) => sql.ref(column)));
  for (let last: Row | undefined; ; ) {
    const before = last;
    let query = source.selectFrom(named(table)).selectAll().orderBy(columns).limit(batch);
    if (before !== undefined) {
      const values = sql.join(keys[table].map((column) => before[column]));
      query = query.where(sql<boolean>`(${columns}) > (${values})`);
    }
    const rows: Row[] = await query.execute();
    if (rows.length > 0) yield rows;
    if (rows.length < batch) return;
    last = rows.at(-1);
  }
}

function hasIds(table: TableName): boolean {
  return keys[table].join() === 'id';
}

/** The next id is one that was never given, not even to what was removed since. */
async function goOnWithIds(source: StoreTransaction, target: StoreTransaction, table: TableName): Promise<void> {
  const last = await lastId(source, table);
  const sequence = sql`pg_get_serial_sequence(${table}, 'id')`;
  await sql`select setval(${sequence}, ${Math.max(last, 1)}, ${sql.lit(last > 0)})`.execute(target);
}

async function lastId(source: StoreTransaction, table: TableName): Promise<number> {
  const { rows } = isPostgres(source)
    ? await sql<{
        last: number | null;
      }>`select pg_sequence_last_value(pg_get_serial_sequence(${table}, 'id')::regclass) as last`.execute(source)
    : await sql<{ last: number }>`select seq as last from sqlite_sequence where name = ${table}`.execute(source);
  return rows[0]?.last ?? 0;
}

async function count(db: StoreTransaction, table: TableName): Promise<number> {
  const { rows } = await db
    .selectFrom(named(table))
    .select(({ fn }) => fn.countAll<number>().as('rows'))
    .executeTakeFirstOrThrow();
  return Number(rows);
}

/** Each table is treated alike: for the types it might as well be this one. */
function named(table: TableName): 'settings' {
  return table as 'settings';
}
