import { DatabaseSync } from '@photostructure/sqlite';
import { CompiledQuery, type DatabaseConnection, type Dialect, SqliteDialect, SqliteDriver } from 'kysely';

type Value = null | number | bigint | string | Uint8Array;

/**
 * Kysely's dialect over the built-in-style SQLite interface. WAL lets readers and one writer work at once;
 * `synchronous = FULL` makes a committed submission intent survive a loss of power.
 */
export function sqliteDialect(file: string): Dialect {
  const database = new DatabaseSync(file);
  try {
    database.exec('pragma busy_timeout = 20000');
    database.exec('pragma journal_mode = wal');
    database.exec('pragma synchronous = full');
    database.exec('pragma foreign_keys = on');
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
    createAdapter: () => dialect.createAdapter(),
    createIntrospector: (db) => dialect.createIntrospector(db),
    createQueryCompiler: () => dialect.createQueryCompiler(),
    createDriver: () => new WritingTransactions(config),
  };
}

/** Our transactions write: taking the write lock at once makes them wait for each other and never fail half-way. */
class WritingTransactions extends SqliteDriver {
  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }
}
