import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { InputError, messageOf } from '../errors.js';
import { visible } from './issues.js';
import { didYouMean } from './nearest.js';

/** Most bytes of a job or computer file: 10 MiB. */
export const mostBytes = 10 * 2 ** 20;

/** Reads a small text file in UTF-8, or standard input for `-`. Throws an InputError that names the file. */
export async function readTextFile(path: string): Promise<string> {
  if (path.includes('\0')) throw new InputError(`${visible(path)}: a file name cannot hold a NUL character`);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of path === '-' ? process.stdin : createReadStream(path)) {
      const bytes = Buffer.from(chunk);
      size += bytes.length;
      if (size > mostBytes) break;
      chunks.push(bytes);
    }
  } catch (error) {
    throw await unreadable(path, error);
  }
  if (size > mostBytes) throw tooLarge(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw new InputError(`${visible(path)}: is not text in UTF-8`, [], { cause: error });
  }
}

export function tooLarge(source: string): InputError {
  return new InputError(`${visible(source)}: is larger than ${mostBytes / 2 ** 20} MiB`, [], {
    hint: 'a job or computer file is a short text; name large inputs under `files`',
  });
}

async function unreadable(path: string, error: unknown): Promise<InputError> {
  const code = errnoOf(error);
  if (code === 'ENOENT')
    return new InputError(`${visible(path)}: no such file${await nearestFile(path)}`, [], { cause: error });
  if (code === 'EISDIR') return new InputError(`${visible(path)}: is a folder, not a file`, [], { cause: error });
  return new InputError(`${visible(path)}: cannot be read: ${messageOf(error)}`, [], { cause: error });
}

/** ` (did you mean "X"?)` with a name from the same folder, or nothing when nothing there is close. */
export async function nearestFile(path: string): Promise<string> {
  const absolute = resolve(path);
  try {
    return visible(didYouMean(basename(absolute), await readdir(dirname(absolute))));
  } catch {
    // Only a hint is lost: what is wrong is reported by the caller.
    return '';
  }
}

/** The system's code of a failed call, such as ENOENT. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
