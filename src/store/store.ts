import { Kysely, PostgresAdapter, sql, type Transaction } from 'kysely';
import { messageOf, WherryError } from '../errors.js';
import { migrate } from './migrate.js';
import type { Tables } from './tables.js';

/** The database of a profile. */
export type Store = Kysely<Tables>;
export type StoreTransaction = Transaction<Tables>;

/** Where the database is: a file, or a server whose URL has no password in it. */
export type StorePlace =
  | { readonly kind: 'sqlite'; readonly file: string }
  | { readonly kind: 'postgres'; readonly url: string; readonly password?: string };

export interface StoreOptions {
  /** Milliseconds that a database server is waited for which may be restarting. Default: 20 s. */
  readonly patience?: number;
  /** Milliseconds that a program may be silent in a transaction before a server undoes it. Default: 10 s. */
  readonly silence?: number;
}

/**
 * Opens the database, creating its tables or bringing them up to date.
 * Errors: `store-newer` when a later version of Wherry wrote it, `store-failed` when it cannot be opened (transient
 * where it may pass), `bad-input` for a URL that is none.
 */
export async function openStore(place: StorePlace, options: StoreOptions = {}): Promise<Store> {
  const { store, name } = place.kind === 'sqlite' ? await openFile(place.file) : await openServer(place, options);
  try {
    await migrate(store, name);
    return store;
  } catch (error) {
    await store.destroy();
    throw error;
  }
}

/** An open database that may not be up to date, and what it is called in messages. */
interface Opened {
  readonly store: Store;
  readonly name: string;
}

// Each is loaded when it is needed: a command line that uses the one does not wait for the other.

async function openFile(file: string): Promise<Opened> {
  const { sqliteDialect } = await import('./sqlite.js');
  try {
    return { store: new Kysely<Tables>({ dialect: await sqliteDialect(file) }), name: file };
  } catch (error) {
    throw new WherryError('store-failed', `cannot open the database ${file}: ${messageOf(error)}`, {
      hint: 'check that the folder exists, is yours and has space left',
      cause: error,
    });
  }
}

async function openServer(place: Extract<StorePlace, { kind: 'postgres' }>, options: StoreOptions): Promise<Opened> {
  const { postgresAddress } = await import('./postgres-address.js');
  const address = postgresAddress(place.url);
  const { postgresDialect } = await import('./postgres.js');
  const { patience = 20_000, silence = 10_000 } = options;
  const dialect = postgresDialect(address, place.password, { patience, silence });
  return { store: new Kysely<Tables>({ dialect }), name: address.text };
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
  if (isPostgres(store)) {
    return store.transaction().execute(async (transaction) => {
      await sql`set local synchronous_commit = off`.execute(transaction);
      return work(transaction);
    });
  }
  return store.connection().execute(async (connection) => {
    await sql`pragma synchronous = normal`.execute(connection);
    try {
      return await connection.transaction().execute(work);
    } finally {
      await sql`pragma synchronous = full`.execute(connection);
    }
  });
}

/** Is it a PostgreSQL database, and not SQLite? */
export function isPostgres(db: Store | StoreTransaction): boolean {
  return db.getExecutor().adapter instanceof PostgresAdapter;
}
