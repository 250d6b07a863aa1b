import { Kysely, type Migration, Migrator, sql, type Transaction } from 'kysely';
import { messageOf, WherryError } from '../errors.js';
import { migrations } from './migrations.js';
import { sqliteDialect } from './sqlite.js';
import type { Tables } from './tables.js';

/** The database of a profile. */
export type Store = Kysely<Tables>;
export type StoreTransaction = Transaction<Tables>;

/**
 * Opens the database file, creating it and bringing its tables up to date.
 * Errors: `store-newer` when a later version of Wherry wrote it, `store-failed` when it cannot be opened.
 */
export async function openStore(file: string): Promise<Store> {
  let store: Store;
  try {
    store = new Kysely<Tables>({ dialect: await sqliteDialect(file) });
  } catch (error) {
    throw new WherryError('store-failed', `cannot open the database ${file}: ${messageOf(error)}`, {
      hint: 'check that the folder exists, is yours and has space left',
      cause: error,
    });
  }
  try {
    await migrate(store, file);
    return store;
  } catch (error) {
    await store.destroy();
    throw error;
  }
}

async function migrate(store: Store, file: string): Promise<void> {
  const known = Object.keys(migrations);
  const applied = await appliedMigrations(store, file);
  const newer = applied.filter((name) => !known.includes(name));
  if (newer.length > 0) {
    throw new WherryError('store-newer', `${file} was written by a newer Wherry (it has step ${newer.join(', ')})`, {
      hint: 'install the newer version, or use another home with --home',
    });
  }
  if (applied.length === known.length) return;
  const migrator = new Migrator({
    db: store,
    provider: { getMigrations: async (): Promise<Record<string, Migration>> => migrations },
  });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) {
    throw new WherryError('store-failed', `cannot prepare the database ${file}: ${messageOf(error)}`, { cause: error });
  }
}

/** Names of the steps the database has seen; a plain look-up, so that opening an up-to-date store is cheap. */
async function appliedMigrations(store: Store, file: string): Promise<string[]> {
  try {
    const rows = await store
      .withTables<{ kysely_migration: { name: string } }>()
      .selectFrom('kysely_migration')
      .select('name')
      .execute();
    return rows.map((row) => row.name);
  } catch (error) {
    if (/no such table/.test(messageOf(error))) return [];
    throw new WherryError('store-failed', `${file} is no database that can be read: ${messageOf(error)}`, {
      hint: 'restore it from a backup, or use another home with --home',
      cause: error,
    });
  }
}

/** Parses a JSON column. */
export function fromJson<T>(text: string | null): T | undefined {
  return text === null ? undefined : (JSON.parse(text) as T);
}

/**
 * A transaction that a loss of power may undo, because whoever reads the state before it does the same work again. It
 * does not wait for the disk. A later ordinary transaction makes it durable too: what is lost is always the newest.
 */
export async function repeatableTransaction<T>(
  store: Store,
  work: (transaction: StoreTransaction) => Promise<T>,
): Promise<T> {
  return store.connection().execute(async (connection) => {
    await sql`pragma synchronous = normal`.execute(connection);
    try {
      return await connection.transaction().execute(work);
    } finally {
      await sql`pragma synchronous = full`.execute(connection);
    }
  });
}
