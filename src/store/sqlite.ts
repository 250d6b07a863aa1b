import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from '@photostructure/sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  type SqliteDatabase,
  SqliteDialect,
  type SqliteDialectConfig,
  SqliteDriver,
  type SqliteStatement,
} from 'kysely';
import { messageOf, WherryError } from '../errors.js';

type Database = InstanceType<typeof DatabaseSync>;
type Value = null | number | bigint | string | Uint8Array;

/** Milliseconds that a statement waits for another writer. */
const patience = 20_000;

/**
 * Kysely's dialect over the built-in-style SQLite interface. WAL lets readers and one writer work at once;
 * `synchronous = FULL` makes what is committed survive a loss of power (see `repeatableTransaction` for what need not).
 */
export async function sqliteDialect(file: string): Promise<Dialect> {
  const database = await whenFree(async () => open(file));
  const config = { database: { close: () => database.close(), prepare: preparing(database) } };
  const dialect = new SqliteDialect(config);
  return {
    createAdapter: () => new TransactionalAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver: () => new WritingTransactions(config, () => database.isTransaction),
  };
}

/** Errors: SQLITE_BUSY while another program makes this very file. */
function open(file: string): Database {
  const database = new DatabaseSync(file);
  try {
    // We wait ourselves: SQLite would stop the whole program, and for ever where the other writer is in it.
    database.exec('pragma busy_timeout = 0');
    database.exec('pragma journal_mode = wal');
    database.exec('pragma synchronous = full');
    database.exec('pragma foreign_keys = on');
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Statements that are kept prepared; the engine says the same few again and again. */
const keptStatements = 200;

function preparing(database: Database): SqliteDatabase['prepare'] {
  const kept = new Map<string, SqliteStatement>();
  return (sql) => {
    const statement = kept.get(sql) ?? prepare(database, sql);
    // The one that was asked for last stands last, so that the first is the one to go.
    kept.delete(sql);
    kept.set(sql, statement);
    const [oldest] = kept.keys();
    if (kept.size > keptStatements && oldest !== undefined) kept.delete(oldest);
    return statement;
  };
}

function prepare(database: Database, sql: string): SqliteStatement {
  const statement = database.prepare(sql);
  const values = (parameters: readonly unknown[]) => parameters as Value[];
  return {
    reader: statement.columns().length > 0,
    all: (parameters) => statement.all(...values(parameters)),
    run: (parameters) => statement.run(...values(parameters)),
    iterate: (parameters) => statement.iterate(...values(parameters)) as IterableIterator<unknown>,
  };
}

/** SQLite can make tables in a transaction, so that a migration happens once and wholly, whoever else opens the file. */
class TransactionalAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** Our transactions write: taking the write lock at once makes them wait for each other and never fail half-way. */
class WritingTransactions extends SqliteDriver {
  readonly #isInTransaction: () => boolean;

  constructor(config: SqliteDialectConfig, isInTransaction: () => boolean) {
    super(config);
    this.#isInTransaction = isInTransaction;
  }

  override async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await super.acquireConnection();
    return {
      executeQuery: (query) => whenFree(() => connection.executeQuery(query)),
      streamQuery: (query, chunkSize) => connection.streamQuery(query, chunkSize),
    };
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    // After some failures (disk full) SQLite has rolled back by itself; saying so would hide what went wrong.
    if (this.#isInTransaction()) await super.rollbackTransaction(connection);
  }
}

/**
 * Repeats a statement that another writer keeps from beginning, while everything else in this program goes on.
 * Errors: a transient `store-failed` for what is wrong with this machine; any other error of the statement as it is.
 */
async function whenFree<T>(statement: () => Promise<T>): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    try {
      return await statement();
    } catch (error) {
      const name = errorName(error);
      if (!troubles.has(name)) throw error;
      if (name !== 'SQLITE_BUSY' || performance.now() > end) {
        throw new WherryError('store-failed', `the database cannot be used now: ${messageOf(error)}`, {
          transient: true,
          hint: 'check the space and rights of the home of Wherry',
          cause: error,
        });
      }
    }
    await delay(1 + Math.random() * 10);
  }
}

/** What is wrong with this machine and not with the statement, and can pass. */
const troubles: ReadonlySet<string> = new Set([
  'SQLITE_BUSY',
  'SQLITE_FULL',
  'SQLITE_IOERR',
  'SQLITE_NOMEM',
  'SQLITE_CANTOPEN',
  'SQLITE_READONLY',
]);

/** SQLite's own words, for errors that come without the code: those of statements that return rows. */
const nameOfText: Readonly<Record<string, string>> = {
  'database is locked': 'SQLITE_BUSY',
  'database or disk is full': 'SQLITE_FULL',
  'disk I/O error': 'SQLITE_IOERR',
  'out of memory': 'SQLITE_NOMEM',
  'unable to open database file': 'SQLITE_CANTOPEN',
  'attempt to write a readonly database': 'SQLITE_READONLY',
};

function errorName(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('sqliteCodeName' in error) return String(error.sqliteCodeName);
  return nameOfText[error.message] ?? '';
}
