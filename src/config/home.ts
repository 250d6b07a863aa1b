import { constants } from 'node:fs';
import { access, mkdir, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { InputError, messageOf, WherryError } from '../errors.js';
import { visible } from './issues.js';
import { errnoOf } from './text-file.js';

/** Where one profile keeps its state; all paths are absolute. */
export interface ProfileLocation {
  readonly home: string;
  readonly profile: string;
  readonly directory: string;
  readonly storeFile: string;
  readonly repositoryDirectory: string;
  /** Exists only where something else than the defaults was asked for. */
  readonly settingsFile: string;
}

const elsewhere = 'choose another home with --home DIR or WHERRY_HOME';

/** Finds the profile that is asked for: `home`, else WHERRY_HOME, else `~/.wherry`. Touches no file. */
export function locateProfile(
  asked: { readonly home?: string | undefined; readonly profile?: string | undefined },
  environment: NodeJS.ProcessEnv,
): ProfileLocation {
  const userHome = environment.HOME || homedir();
  const named = asked.home ?? (environment.WHERRY_HOME || join(userHome, '.wherry'));
  if (named === '' || named.includes('\0')) {
    throw new InputError(`${JSON.stringify(named)} cannot be the home of Wherry`, [], { hint: elsewhere });
  }
  const profile = asked.profile ?? 'default';
  if (!/^[A-Za-z0-9][\w.-]{0,62}$/.test(profile)) {
    throw new InputError(`${JSON.stringify(profile)} cannot be the name of a profile`, [], {
      hint: 'use letters, digits, ".", "_" and "-", at most 63',
    });
  }
  const home = resolve(named.replace(/^~(?=\/|$)/, () => userHome));
  const directory = join(home, 'profiles', profile);
  return {
    home,
    profile,
    directory,
    storeFile: join(directory, 'store.sqlite'),
    repositoryDirectory: join(directory, 'repository'),
    settingsFile: join(directory, 'profile.yaml'),
  };
}

/** Makes the directories of a profile, for the user alone (0700), unless they exist; checks that they can be used. */
export async function ensureProfile(location: ProfileLocation): Promise<void> {
  try {
    await makeDirectory(location.directory);
    await makeDirectory(location.repositoryDirectory);
    await access(location.directory, constants.R_OK | constants.W_OK | constants.X_OK);
    await access(location.repositoryDirectory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw await unusable(location, error);
  }
}

/** Node's own recursive mkdir never ends where a parent exists and takes no entries, as in /proc or under autofs. */
async function makeDirectory(path: string): Promise<void> {
  const failure = await failureToMake(path);
  if (failure === undefined) return;
  if (errnoOf(failure) !== 'ENOENT') throw failure;
  if (!(await stat(dirname(path)).catch(() => undefined))) await makeDirectory(dirname(path));
  // Another program may have made the parent meanwhile: only a second failure says that it takes no entries.
  const second = await failureToMake(path);
  if (second !== undefined) throw second;
}

async function failureToMake(path: string): Promise<unknown> {
  try {
    await mkdir(path, { mode: 0o700 });
    return undefined;
  } catch (error) {
    return errnoOf(error) === 'EEXIST' && (await stat(path)).isDirectory() ? undefined : error;
  }
}

async function unusable(location: ProfileLocation, error: unknown): Promise<WherryError> {
  const obstacle = await fileInTheWay(location);
  if (obstacle !== undefined) {
    return new InputError(`${visible(obstacle)} is a file, but Wherry needs a directory there`, [], {
      hint: `move it away, or ${elsewhere}`,
      cause: error,
    });
  }
  const { path } = error as NodeJS.ErrnoException;
  const isRepository = path?.startsWith(location.repositoryDirectory) === true;
  const home = visible(isRepository ? location.repositoryDirectory : location.home);
  switch (errnoOf(error)) {
    case 'EACCES':
    case 'EPERM':
      return new InputError(`${home} cannot be written`, [], { hint: `allow it, or ${elsewhere}`, cause: error });
    case 'EROFS':
      return new InputError(`${home} is on a read-only file system`, [], { hint: elsewhere, cause: error });
    case 'ENOSPC':
    case 'EDQUOT':
      return new WherryError('disk-full', `no space is left for ${home}`, { hint: elsewhere, cause: error });
    default:
      return new InputError(`${home} cannot be used: ${messageOf(error)}`, [], { hint: elsewhere, cause: error });
  }
}

/** The first thing on the way from the root to the repository that exists and is no directory. */
async function fileInTheWay({ repositoryDirectory }: ProfileLocation): Promise<string | undefined> {
  const segments = repositoryDirectory.split('/');
  for (let length = 2; length <= segments.length; length += 1) {
    const path = segments.slice(0, length).join('/');
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return undefined;
    if (!found.isDirectory()) return path;
  }
  return undefined;
}
