import { setTimeout as delay } from 'node:timers/promises';
import { DatabaseSync } from '@photostructure/sqlite';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
} from 'kysely';

type Value = null | number | bigint | string | Uint8Array;

/** Milliseconds that a statement waits for another writer. */
const patience = 20_000;

/**
 * Kysely's dialect over the built-in-style SQLite interface. WAL lets readers and one writer work at once;
 * `synchronous = FULL` makes a committed submission intent survive a loss of power.
 */
export function sqliteDialect(file: string): Dialect {
  const database = new DatabaseSync(file);
  try {
    database.exec('pragma busy_timeout = 2000');
    database.exec('pragma journal_mode = wal');
    database.exec('pragma synchronous = full');
    database.exec('pragma foreign_keys = on');
    // From here on we wait ourselves: SQLite would stop the whole program, and for ever where the other writer is in it.
    database.exec('pragma busy_timeout = 0');
  } catch (error) {
    database.close();
    throw error;
  }
  const config = {
    database: {
      close: () => database.close(),
      prepare: (sql: string) => {
        const statement = database.prepare(sql);
        const values = (parameters: readonly unknown[]) => parameters as Value[];
        return {
          reader: statement.columns().length > 0,
          all: (parameters: readonly unknown[]) => statement.all(...values(parameters)),
          run: (parameters: readonly unknown[]) => statement.run(...values(parameters)),
          iterate: (parameters: readonly unknown[]) =>
            statement.iterate(...values(parameters)) as IterableIterator<unknown>,
        };
      },
    },
  };
  const dialect = new SqliteDialect(config);
  return {
    createAdapter: () => new TransactionalAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver: () => new WritingTransactions(config),
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
}

/** Repeats a statement that another writer keeps from beginning, while everything else in this program goes on. */
async function whenFree<T>(statement: () => Promise<T>): Promise<T> {
  const end = performance.now() + patience;
  for (;;) {
    try {
      return await statement();
    } catch (error) {
      if (!isBusy(error) || performance.now() > end) throw error;
    }
    await delay(1 + Math.random() * 10);
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'sqliteCodeName' in error && error.sqliteCodeName === 'SQLITE_BUSY';
}
