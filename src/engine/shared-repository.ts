import { existsSync, readFileSync } from 'node:fs';
import { link, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../config/text-file.js';
import { InputError } from '../errors.js';
import { profileUuid } from '../store/profile-uuid.js';
import type { Store } from '../store/store.js';

/**
 * Makes sure that a repository which several hosts share is that of this store: a file in it names the profile. The
 * first to come writes it. Errors: `bad-input` for the repository of another profile.
 */
export async function checkRepository(store: Store, directory: string): Promise<void> {
  const file = join(directory, 'profile');
  const uuid = await profileUuid(store);
  if (!existsSync(file)) await claim(file, uuid);
  if (readFileSync(file, 'utf8').trim() === uuid) return;
  throw new InputError(`${directory} is the repository of another profile`, [], {
    hint: 'every host names the same directory of a shared file system as `repository` of its profile.yaml',
  });
}

/** Of several that come first, one writes. */
async function claim(file: string, uuid: string): Promise<void> {
  const temporary = `${file}.${process.pid}.part`;
  try {
    await writeFile(temporary, `${uuid}\n`, { mode: 0o600 });
    await link(temporary, file);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}
