import { exitCodes, fileFailure } from '../plugin/failure.js';
import { Progress } from '../plugin/progress.js';
import { enter, scriptStart } from '../plugin/script.js';
import { quote } from '../plugin/shell.js';
import type { Exec } from '../plugin/transport.js';
import type { CalcJobContext } from './context.js';

/** Milliseconds in which the files that a script makes must have grown. */
const deadline = 600_000;

/** Bytes of text that fit into a command; longer text is read by the shell. Linux takes 128 KiB. */
const longestText = 65_536;

/** Printed where there was progress, in lines of their own. */
const sign = '.';

/**
 * Begins a script that copies or packs files on the computer, which may take hours: it goes into the folder that it
 * fills, and tells from time to time whether that has grown. It stops at the first failure, and then runs `onFailure`.
 */
export function longScript(directory: string, prepare: string, folder: string, onFailure = ':'): string {
  // It is ended with the script, at once: nobody waits for its pause, which has no stream of ours.
  return `${scriptStart}${enter(directory)}${prepare}
cd ${quote(folder)}
(
  before=
  while sleep 20 </dev/null >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
    now=$(du -sk . 2>/dev/null) || :
    [ "$now" = "$before" ] || echo '${sign}'
    before=$now
  done
) </dev/null 2>/dev/null &
growth=$!
leave() {
  status=$?
  kill "$growth" 2>/dev/null || :
  [ $status = 0 ] || ${onFailure} || :
  exit $status
}
trap leave EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
${folders}`;
}

/**
 * `parents` makes the folders in $1 that are above $2, and goes through no link. `refuse` ends the script because of what
 * stands somewhere.
 */
const folders = `\
refuse() { printf '%s: %s\\n' "$1" "$2" >&2; exit ${exitCodes.exists}; }
parents() {
  folder=$1
  rest=$2
  while :; do
    case $rest in */*) ;; *) return 0 ;; esac
    folder=$folder/\${rest%%/*}
    rest=\${rest#*/}
    if [ -L "$folder" ]; then refuse "$folder" 'a link stands where a folder is to be'; fi
    [ -d "$folder" ] || mkdir "$folder"
  done
}
`;

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
  const exec: Exec = (text, options) => connection.exec(text, options);
  const isLong = Buffer.byteLength(script) > longestText;
  const result = await progress.run(exec, isLong ? 'exec sh -s' : script, {
    // Whatever is lost on the way, a shell runs no part of a function.
    ...(isLong ? { stdin: `wherry_main() {\n${script}\n}\nwherry_main\n` } : {}),
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

/** Exit code of a script that has told, line by line, what is missing: `missing 3` for the third of what it looked for. */
export const missingCode = 66;

/** `seek` notes that none of $2, $3 … is there. */
export const seeking = `\
missing=
seek() {
  number=$1
  shift
  for one do
    case "\${one##*/}" in .|..) continue ;; esac
    if [ -e "$one" ] || [ -L "$one" ]; then return 0; fi
  done
  echo "missing $number"
  missing=1
}`;

/** What a script has told to be missing, of the names that it looked for. */
export function missingOf(lines: readonly string[], names: readonly string[]): string[] {
  const told = new Set(lines.map((line) => Number(/^missing (\d{1,6})$/.exec(line)?.[1])));
  return names.filter((_, index) => told.has(index));
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
