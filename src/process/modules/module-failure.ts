import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { messageOf, WherryError } from '../../errors.js';

/** Most characters of a module's own words. */
const mostWords = 2_000;
/** Everything of Wherry that is not a package of somebody else. */
const installation = fileURLToPath(new URL('../../../', import.meta.url));

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

/**
 * The first line of an error's stack that is in code of users, as `path:line:column`. Packages are theirs only where
 * there is nothing else.
 */
function placeOf(thrown: unknown): string | undefined {
  const stack = thrown instanceof Error && typeof thrown.stack === 'string' ? thrown.stack : '';
  return firstPlace(stack);
}

/** Where a file cannot be read as JavaScript: Node's loader keeps that to itself, but for `node --check`. */
async function syntaxErrorOf(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  return new Promise((resolve) => {
    const limits = { timeout: 10_000, maxBuffer: 2 ** 20 };
    execFile(process.execPath, ['--check', file], limits, (_error, _stdout, stderr) => resolve(firstPlace(stderr)));
  });
}

function firstPlace(stack: string): string | undefined {
  const places = stack.split('\n', 200).flatMap((line) => {
    const [, location = '', position = ''] = frame.exec(line) ?? [];
    const file = location.startsWith('file:') ? pathOf(location) : location;
    return file === '' || file.startsWith(installation) ? [] : [`${file}${position}`];
  });
  return places.find((place) => !place.includes('/node_modules/')) ?? places[0];
}

/** `at name (file:///a/b.ts:1:2)`, `at /a/b.cjs:1:2`, or the line before a piece of code that cannot be read. */
const frame = /^\s*(?:at (?:.* \(|async )?)?(file:\/\/.+?|\/.+?)(:\d+(?::\d+)?)\)?$/;

function pathOf(url: string): string {
  try {
    return fileURLToPath(url.replace(/[?#].*$/s, ''));
  } catch {
    return '';
  }
}
