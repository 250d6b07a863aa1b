import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Repository } from '../../../src/store/repository.js';
import { openStore, type Store, type StorePlace } from '../../../src/store/store.js';
import { providedDatabase } from '../../rigs/provided-postgres.js';

export interface TemporaryStore extends AsyncDisposable {
  readonly store: Store;
  readonly repository: Repository;
  readonly place: StorePlace;
  readonly directory: string;
  /** One more connection to the same database, closed with the others. */
  again(): Promise<Store>;
}

/** A real database and repository of their own: PostgreSQL where the project of the test provides it, else SQLite. */
export async function temporaryStore(): Promise<TemporaryStore> {
  const directory = await mkdtemp(path.join(tmpdir(), 'wherry-store-'));
  const database = await providedDatabase();
  const place = database?.place ?? { kind: 'sqlite', file: path.join(directory, 'store.sqlite') };
  const store = await openStore(place);
  const stores = [store];
  return {
    store,
    repository: new Repository(path.join(directory, 'repository')),
    place,
    directory,
    async again() {
      const another = await openStore(place);
      stores.push(another);
      return another;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((each) => each.destroy()));
      await database?.[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
