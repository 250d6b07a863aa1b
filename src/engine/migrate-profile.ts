import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { writeProfileSettings } from '../config/profile-file.js';
import { readSecrets, writeSecrets } from '../config/secrets.js';
import { parseServiceUrl, services } from '../config/service-url.js';
import { WherryError } from '../errors.js';
import { type CopyProgress, copyStore } from '../store/copy-store.js';
import { openStore } from '../store/store.js';
import type { Profile } from './profile.js';

/** A profile whose store was moved. */
export interface Migrated {
  /** Without its password. */
  readonly store: string;
  /** Rows of each table. */
  readonly rows: Readonly<Record<string, number>>;
  /** Where the old store lies, which nothing reads any more. */
  readonly old: string;
}

/**
 * Moves the store of a profile into an empty PostgreSQL database, with every process, event and reference to a file; the
 * files of the repository stay. Until all has arrived the profile is as it was.
 * Errors: those of the URL and of the database; `daemon-running` when somebody works with the profile; `aborted`.
 * @param profile must not be used afterwards
 */
export async function migrateProfile(
  profile: Profile,
  target: string,
  options: { readonly signal: AbortSignal; readonly onProgress: (progress: CopyProgress) => void },
): Promise<Migrated> {
  const { location, settings } = profile;
  if (settings.store !== undefined) {
    throw new WherryError('already-exists', `the store of this profile is on PostgreSQL already: ${settings.store}`);
  }
  const { url, password } = parseServiceUrl(target, services.store);
  const known = password ?? (await readSecrets(location, process.env)).store;
  const to = await openStore({ kind: 'postgres', url, ...(known === undefined ? {} : { password: known }) });
  const old = `${location.storeFile}.moved`;
  try {
    const rows = await copyStore(profile.store, to, {
      ...options,
      async onCopied() {
        if (password !== undefined) await writeSecrets(location, { store: password });
        await writeProfileSettings(location, { ...settings, store: url });
      },
    });
    // What the write-ahead log has is in the file when its last user has closed it.
    await profile.store.destroy();
    for (const ending of ['', '-wal', '-shm']) {
      if (existsSync(location.storeFile + ending)) await rename(location.storeFile + ending, old + ending);
    }
    return { store: url, rows, old };
  } finally {
    await to.destroy();
  }
}
