import { existsSync } from 'node:fs';
import { ensureProfile, locateProfile, type ProfileLocation } from '../config/home.js';
import type { ProfileSettings } from '../config/profile-file.js';
import { Repository } from '../store/repository.js';
import { openStore, type Store, type StorePlace } from '../store/store.js';
import { addComputer } from './computers.js';

/** An open profile: its store and its file repository. */
export interface Profile extends AsyncDisposable {
  readonly location: ProfileLocation;
  readonly settings: ProfileSettings;
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
 * Errors: `bad-input` for a home or settings that cannot be used, `store-newer`, `store-failed`.
 */
export async function openProfile(options: ProfileOptions = {}): Promise<Profile> {
  const located = locateProfile(options, process.env);
  const settings = await profileSettings(located);
  const location = { ...located, repositoryDirectory: settings.repository ?? located.repositoryDirectory };
  await ensureProfile(location);
  const repository = new Repository(location.repositoryDirectory);
  const store = await openStore(await storePlace(location, settings));
  try {
    if (settings.repository !== undefined) {
      const { checkRepository } = await import('./shared-repository.js');
      await checkRepository(store, location.repositoryDirectory);
    }
    // Looked for each time: the program that made the store may have ended before it added the computer.
    const computer = await store.selectFrom('computers').select('id').limit(1).executeTakeFirst();
    if (computer === undefined) {
      // Only now are the schemas needed: every other command starts without them.
      const { localhost } = await import('./localhost.js');
      await addComputer(store, localhost(location, settings), { unlessExists: true });
    }
  } catch (error) {
    await store.destroy();
    throw error;
  }
  return { location, settings, store, repository, [Symbol.asyncDispose]: () => store.destroy() };
}

/**
 * The settings of a profile. Errors: `bad-input`.
 * Most have none of their own, and need not wait for what reads them.
 */
export async function profileSettings(location: ProfileLocation): Promise<ProfileSettings> {
  if (!existsSync(location.settingsFile)) return {};
  const { readProfileSettings } = await import('../config/profile-file.js');
  return readProfileSettings(location);
}

/** Where the store of a profile is. */
async function storePlace(location: ProfileLocation, { store }: ProfileSettings): Promise<StorePlace> {
  if (store === undefined) return { kind: 'sqlite', file: location.storeFile };
  const { readSecrets } = await import('../config/secrets.js');
  const { store: password } = await readSecrets(location, process.env);
  return { kind: 'postgres', url: store, ...(password === undefined ? {} : { password }) };
}
