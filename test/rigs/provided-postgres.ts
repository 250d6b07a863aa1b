import type { StorePlace } from '../../src/store/store.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** Port of the server on which the tests of this project keep their stores; none: they use SQLite. */
    postgres?: number;
  }
}

/** An empty store that is up to date; every database of the project is a copy of it. */
export const template = 'template_wherry';

/** A database of a test's own. */
export interface ProvidedDatabase extends AsyncDisposable {
  readonly place: Extract<StorePlace, { kind: 'postgres' }>;
}

/** A new database with an empty store that is up to date; undefined in projects that use SQLite. */
export async function providedDatabase(): Promise<ProvidedDatabase | undefined> {
  // Benchmarks use the same rigs without vitest.
  if (process.env.VITEST === undefined) return undefined;
  const { inject } = await import('vitest');
  const port = inject('postgres');
  if (port === undefined) return undefined;
  const { PostgresDatabases } = await import('./postgres-databases.js');
  const databases = new PostgresDatabases(port);
  const name = await databases.create({ template });
  return { place: databases.place(name), [Symbol.asyncDispose]: () => databases.drop(name) };
}
