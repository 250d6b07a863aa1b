import { execFile } from 'node:child_process';
import { messageOf, WherryError } from '../../errors.js';
import { placeInStack } from './place-in-stack.js';

/** Most characters of a module's own words. */
const mostWords = 2_000;

/**
 * The error `module-failed`: the module's own words, and where in the user's code it happened.
 * @param what failed, such as `the module ./a.ts could not be loaded`
 * @param file the module, where it is one file
 */
export async function moduleFailure(what: string, thrown: unknown, hint: string, file?: string): Promise<WherryError> {
  const place = placeOf(thrown) ?? (thrown instanceof SyntaxError ? await syntaxErrorOf(file) : undefined);
  const words = messageOf(thrown)
    .replace(/\nRequire stack:.*/s, '')
    .slice(0, mostWords);
  return moduleError(what, place === undefined ? words : `${words} (at ${place})`, hint, thrown);
}

/** The error `module-failed` for a reason of ours. */
export function moduleError(what: string, reason: string, hint: string, cause?: unknown): WherryError {
  return new WherryError('module-failed', `${what}: ${reason}`, { hint, cause });
}

function placeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && typeof thrown.stack === 'string' ? placeInStack(thrown.stack) : undefined;
}

/** Where a file cannot be read as JavaScript: Node's loader keeps that to itself, but for `node --check`. */
async function syntaxErrorOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return new Promise((resolve) => {
    const limits = { timeout: 10_000, maxBuffer: 2 ** 20 };
    execFile(process.execPath, ['--check', file], limits, (_error, _stdout, stderr) => resolve(placeInStack(stderr)));
  });
}
