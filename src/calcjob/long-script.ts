import { fileFailure } from '../plugin/failure.js';
import { Progress } from '../plugin/progress.js';
import { enter, scriptStart } from '../plugin/script.js';
import { quote } from '../plugin/shell.js';
import type { ExecResult } from '../plugin/transport.js';
import type { CalcJobContext } from './context.js';

/** Milliseconds in which the files that a script makes must have grown. */
const deadline = 600_000;

/** Printed where there was progress, in lines of their own. */
const sign = '.';

/**
 * Begins a script that copies or packs files on the computer, which may take hours: it goes into the folder that it
 * fills, and tells from time to time whether that has grown. It stops at the first failure.
 */
export function longScript(directory: string, prepare: string, folder: string): string {
  // Nobody waits for the pause in which it is ended: it has no stream of ours.
  return `${scriptStart}${enter(directory)}${prepare}
cd ${quote(folder)}
(
  before=
  while sleep 20 </dev/null >/dev/null 2>&1; do
    now=$(du -sk . 2>/dev/null) || :
    [ "$now" = "$before" ] || echo '${sign}'
    before=$now
  done
) </dev/null 2>/dev/null &
growth=$!
trap 'status=$?; kill "$growth" 2>/dev/null; exit $status' EXIT
`;
}

/**
 * Runs such a script as long as it makes progress. Errors: those of commands on files, by `action`, which completes
 * "could not …", for every exit code but those expected.
 * @returns the lines that it printed beside its signs of progress, and its exit code
 */
export async function runLongScript(
  { connection, signal }: Pick<CalcJobContext, 'connection' | 'signal'>,
  script: string,
  action: string,
  expected: readonly number[] = [],
): Promise<{ readonly lines: readonly string[]; readonly exitCode: number }> {
  const chunks: Buffer[] = [];
  using progress = new Progress({ timeout: deadline, signal });
  const result: ExecResult = await progress.run(connection.exec, script, {
    onStdout: (chunk) => {
      progress.add(0);
      chunks.push(chunk);
    },
  });
  const { exitCode } = result;
  if (exitCode === null || (exitCode !== 0 && !expected.includes(exitCode))) throw fileFailure(result, action, script);
  const lines = Buffer.concat(chunks).toString().split('\n');
  return { lines: lines.filter((line) => line !== '' && line !== sign), exitCode };
}

/** Does a name mean several files to the shell of the computer? */
export function isPattern(name: string): boolean {
  return /[*?[]/.test(name);
}

/** A name as a word of shell text in which `*`, `?` and `[…]` keep their meaning and all else stands for itself. */
export function patternWord(name: string): string {
  const parts = name.split(/([*?[\]!^-]+)/);
  return parts.map((part, index) => (index % 2 === 1 || part === '' ? part : quote(part))).join('');
}
