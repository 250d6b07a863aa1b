import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Repository } from '../../../src/store/repository.js';
import { openStore, type Store } from '../../../src/store/store.js';

export interface TemporaryStore extends AsyncDisposable {
  readonly store: Store;
  readonly repository: Repository;
  readonly file: string;
  readonly directory: string;
  /** One more connection to the same database, closed with the others. */
  again(): Promise<Store>;
}

/** A real database and repository in a directory of their own. */
export async function temporaryStore(): Promise<TemporaryStore> {
  const directory = await mkdtemp(path.join(tmpdir(), 'wherry-store-'));
  const file = path.join(directory, 'store.sqlite');
  const store = await openStore({ kind: 'sqlite', file });
  const stores = [store];
  return {
    store,
    repository: new Repository(path.join(directory, 'repository')),
    file,
    directory,
    async again() {
      const another = await openStore({ kind: 'sqlite', file });
      stores.push(another);
      return another;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(stores.map((each) => each.destroy()));
      await rm(directory, { recursive: true, force: true });
    },
  };
}
