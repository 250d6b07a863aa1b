import { ensureProfile, locateProfile, type ProfileLocation } from '../config/home.js';
import { Repository } from '../store/repository.js';
import { openStore, type Store } from '../store/store.js';
import { addComputer } from './computers.js';

/** An open profile: its store and its file repository. */
export interface Profile extends AsyncDisposable {
  readonly location: ProfileLocation;
  readonly store: Store;
  readonly repository: Repository;
}

export interface ProfileOptions {
  /** Directory; default: WHERRY_HOME, else `~/.wherry`. */
  readonly home?: string | undefined;
  /** Name; default: `default`. */
  readonly profile?: string | undefined;
}

/**
 * Opens a profile. The first opening creates it. A profile without any computer gets `localhost` (transport local,
 * scheduler direct).
 * Errors: `bad-input` for a home that cannot be used, `store-newer`, `store-failed`.
 */
export async function openProfile(options: ProfileOptions = {}): Promise<Profile> {
  const location = locateProfile(options, process.env);
  await ensureProfile(location);
  const store = await openStore(location.storeFile);
  try {
    // Looked for each time: the program that made the store may have ended before it added the computer.
    const computer = await store.selectFrom('computers').select('id').limit(1).executeTakeFirst();
    if (computer === undefined) {
      // Only now are the schemas needed: every other command starts without them.
      const { localhost } = await import('./localhost.js');
      await addComputer(store, localhost(location), { unlessExists: true });
    }
  } catch (error) {
    await store.destroy();
    throw error;
  }
  return {
    location,
    store,
    repository: new Repository(location.repositoryDirectory),
    [Symbol.asyncDispose]: () => store.destroy(),
  };
}
