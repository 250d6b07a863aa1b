import { constants, type Stats } from 'node:fs';
import { access, readdir, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { messageOf } from '../errors.js';
import { errnoOf } from './text-file.js';

/** One file here that becomes one input file of a job. */
export interface ResolvedFile {
  /** Name on the computer, relative to the job's directory. */
  readonly path: string;
  /** Absolute local path. */
  readonly source: string;
  /** Bytes. */
  readonly size: number;
  /** 0o755 when anybody may execute it, else 0o644. */
  readonly mode: number;
}

/** Why a local file or folder cannot be an input, as a message. */
export class UnusableFile extends Error {
  readonly missing: boolean;

  constructor(message: string, details: { readonly missing?: boolean; readonly cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.missing = details.missing ?? false;
  }
}

/** How many more files and folders one job may still take. */
export interface Allowance {
  left: number;
}

export const mostEntries = 100_000;

/**
 * The file `source`, or every file below the folder `source`, in the order of their names. Links below a folder are
 * followed when they lead to something in the same folder. Throws UnusableFile.
 */
export async function collectFiles(source: string, path: string, allowance: Allowance): Promise<ResolvedFile[]> {
  const found = await inspect(source, source);
  if (found.isDirectory()) {
    const root = await realpath(source);
    return collectFolder({ root, allowance }, source, path, [root]);
  }
  return [await resolved(found, source, path, allowance)];
}

interface Walk {
  readonly root: string;
  readonly allowance: Allowance;
}

/** `above`: the real paths of this folder and those around it, to notice a link that leads back into one of them. */
async function collectFolder(
  walk: Walk,
  folder: string,
  path: string,
  above: readonly string[],
): Promise<ResolvedFile[]> {
  const files: ResolvedFile[] = [];
  for (const name of await namesIn(folder)) {
    const source = join(folder, name);
    const target = `${path}/${name}`;
    const found = await inspect(source, name);
    const real = await realpath(source);
    if (real !== walk.root && !real.startsWith(`${walk.root}${sep}`)) {
      throw new UnusableFile(`${JSON.stringify(source)} is a link that leads out of the folder`);
    }
    if (!found.isDirectory()) {
      files.push(await resolved(found, source, target, walk.allowance));
      continue;
    }
    if (above.includes(real)) throw new UnusableFile(`${JSON.stringify(source)} is a link to a folder around it`);
    spend(walk.allowance);
    files.push(...(await collectFolder(walk, source, target, [...above, real])));
  }
  return files;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names.sort((one, other) => (one < other ? -1 : 1));
  } catch (error) {
    throw new UnusableFile(`${JSON.stringify(folder)} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

async function inspect(source: string, name: string): Promise<Stats> {
  try {
    return await stat(source);
  } catch (error) {
    if (errnoOf(error) === 'ELOOP') throw new UnusableFile(`${JSON.stringify(source)} is a link that leads to itself`);
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') {
      throw new UnusableFile(`${JSON.stringify(source)} cannot be read: ${messageOf(error)}`, { cause: error });
    }
    // The replacement character is what a name that is no UTF-8 turns into, and then nothing is found by it.
    if (name !== source && name.includes('\uFFFD')) {
      throw new UnusableFile(`${JSON.stringify(source)} has a name that is not UTF-8`, { cause: error });
    }
    if (name !== source) throw new UnusableFile(`${JSON.stringify(source)} is a link to nothing`, { cause: error });
    throw new UnusableFile('no such file or folder', { missing: true, cause: error });
  }
}

async function resolved(found: Stats, source: string, path: string, allowance: Allowance): Promise<ResolvedFile> {
  if (!found.isFile()) throw new UnusableFile(`${JSON.stringify(source)} is neither a file nor a folder`);
  spend(allowance);
  try {
    await access(source, constants.R_OK);
  } catch (error) {
    throw new UnusableFile(`${JSON.stringify(source)} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  return { path, source, size: found.size, mode: (found.mode & 0o111) === 0 ? 0o644 : 0o755 };
}

function spend(allowance: Allowance): void {
  allowance.left -= 1;
  if (allowance.left < 0) {
    throw new UnusableFile(`more than ${mostEntries} files and folders; pack them into an archive`);
  }
}
