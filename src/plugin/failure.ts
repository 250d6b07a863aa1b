import { CommandError, type ErrorCode, type ErrorDetails, WherryError } from '../errors.js';
import type { ExecResult } from './transport.js';

/** Exit codes by which our own scripts say what went wrong; the tools they run use none of them. */
export const exitCodes = { exists: 73, incomplete: 75 } as const;

interface Kind extends ErrorDetails {
  readonly code: ErrorCode;
  readonly words: RegExp;
}

/** How tools end a line of stderr under LC_ALL=C. Anchored at the line's end: file names stand before it. */
const kinds: readonly Kind[] = [
  {
    code: 'disk-full',
    words: /(?:No space left on device|[Qq]uota exceeded)\W*$/m,
    hint: 'free space on the computer or use another work directory',
  },
  {
    code: 'permission-denied',
    words: /(?:Permission denied|Operation not permitted|Read-only file system)\W*$/m,
    hint: 'check owner and mode of the directory and of those above it',
  },
  { code: 'file-exists', words: /(?:File exists|Not a directory|Is a directory|Directory not empty)\W*$/m },
  { code: 'file-exists', words: /cannot overwrite (?:non-)?directory/m },
  { code: 'file-missing', words: /(?:No such file or directory|No such file|[Dd]irectory nonexistent)\W*$/m },
  {
    code: 'command-failed',
    transient: true,
    words:
      /(?:Input\/output error|Stale file handle|Cannot allocate memory|temporarily unavailable|endpoint .*shutdown|timed out)\W*$/m,
    hint: 'the computer or its file system is in trouble; it is tried again',
  },
];

function kindOf(result: ExecResult): Omit<Kind, 'words'> {
  if (result.exitCode === exitCodes.exists) return { code: 'file-exists', hint: 'remove it or use another name' };
  const kind = kinds.find(({ words }) => words.test(result.stderr));
  if (kind) return kind;
  if (result.exitCode === exitCodes.incomplete) {
    return { code: 'transfer-incomplete', transient: true, hint: 'it is sent again' };
  }
  if (result.exitCode === null) return { code: 'command-failed', transient: true, hint: 'it is tried again' };
  return { code: 'command-failed', hint: 'see the words of the computer' };
}

/**
 * What a file command that ended badly means: `file-missing`, `file-exists`, `permission-denied`, `disk-full`,
 * `transfer-incomplete` or `command-failed`. `action` completes "could not …".
 */
export function fileFailure(result: ExecResult, action: string, script: string): CommandError {
  const { code, ...details } = kindOf(result);
  const words = result.stderr.trim().split('\n', 3).join('; ').slice(0, 500);
  const reason = code === 'file-exists' && words === '' ? 'it exists already' : words || `exit code ${result.exitCode}`;
  const { exitCode, signal, durationMs } = result;
  const failure = {
    command: script.slice(0, 2000),
    exitCode,
    signal,
    durationMs,
    stdout: result.stdout.slice(0, 2000),
    stderr: result.stderr.slice(0, 2000),
  };
  return new CommandError(code, `could not ${action}: ${reason}`, failure, details);
}

/** What a failure of our own file system means, e.g. `disk-full`. Anything that has a meaning already stays as it is. */
export function localFailure(thrown: unknown, action: string): unknown {
  if (!(thrown instanceof Error) || thrown instanceof WherryError) return thrown;
  const code = localCodes[(thrown as NodeJS.ErrnoException).code ?? ''];
  if (code === undefined) return thrown;
  return new WherryError(code, `could not ${action}: ${thrown.message}`, {
    cause: thrown,
    hint: 'this concerns the machine on which Wherry runs',
  });
}

const localCodes: Readonly<Record<string, ErrorCode>> = {
  ENOSPC: 'disk-full',
  EDQUOT: 'disk-full',
  EACCES: 'permission-denied',
  EPERM: 'permission-denied',
  EROFS: 'permission-denied',
  ENOENT: 'file-missing',
  EEXIST: 'file-exists',
  EISDIR: 'file-exists',
  ENOTDIR: 'file-exists',
  ELOOP: 'unsafe-path',
};
