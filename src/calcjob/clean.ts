import { WherryError } from '../errors.js';
import { checkAbsolutePath } from '../plugin/paths.js';
import { enter, scriptStart } from '../plugin/script.js';
import { quote } from '../plugin/shell.js';
import { type CalcJobContext, remoteDirectory, workDirectory } from './context.js';
import { jobDirectory } from './job-directory.js';
import { runLongScript } from './long-script.js';

/** Exit code of a script that does not remove what it has found; it prints why. */
const refusedCode = 67;
/** Exit code where files have come while the directory was being emptied. */
const busyCode = 68;

/**
 * Removes the directory of an ended calcjob from its computer; one that is gone is as good as removed. Only the directory
 * that has its name of this very process is ever removed, and no link is followed on the way to it or in it.
 * Errors: `unsafe-path` for anything else; those of commands on files.
 * @returns the directory
 */
export async function clean(context: CalcJobContext): Promise<string> {
  const base = checkAbsolutePath(workDirectory(context.connection, context.computer.config));
  const directory = ownDirectory(context, base);
  const script = cleanScript(base, directory.slice(base.length + 1));
  const action = `remove ${directory}`;
  const { lines, exitCode } = await runLongScript(context, script, action, [refusedCode, busyCode]);
  if (exitCode === refusedCode) throw refused(`${base}/${lines[0] ?? ''}; nothing was removed`);
  if (exitCode === busyCode) {
    const hint = 'something still writes there, or keeps files open; it is tried again';
    throw new WherryError('command-failed', `could not ${action}: it did not get empty`, { transient: true, hint });
  }
  return directory;
}

/** The directory of the process, if it is the one that Wherry has made for it. Errors: `unsafe-path`. */
function ownDirectory(context: CalcJobContext, base: string): string {
  const { row, job, computer } = context;
  const directory = remoteDirectory(context);
  if (job.remoteFolder !== undefined) throw refused(`${directory} was made by others: the run was imported`);
  const own = jobDirectory(base, row.uuid);
  if (directory === own) return own;
  throw refused(
    `${directory} is not below ${base}, which is the work directory of ${computer.config.label} now`,
    'remove it by hand, or give the computer its former work directory for the time of it',
  );
}

function refused(message: string, hint?: string): WherryError {
  return new WherryError('unsafe-path', message, hint === undefined ? {} : { hint });
}

/**
 * What cannot be looked at is not taken for gone. It tells of every thousandth file that it removes, where it can. A job
 * may have left folders that it did not want to be written to: they are its own, and are opened.
 */
function cleanScript(base: string, path: string): string {
  const [first = '', second = '', last = ''] = path.split('/').map(quote);
  const name = `./${last}`;
  return `${scriptStart}${enter(base)}\
for part in ${first} ${first}/${second} ${first}/${second}/${last}; do
  [ ! -L "$part" ] || { echo "$part is a link"; exit ${refusedCode}; }
done
why=$(ls -d ${first}/${second}/${last} 2>&1 >/dev/null) || {
  case $why in *'No such file or directory') exit 0 ;; esac
  printf '%s\\n' "$why" >&2
  exit 1
}
cd ${first}/${second}
[ -d ${name} ] || { echo ${quote(`${path} is no directory`)}; exit ${refusedCode}; }
is_gone() { [ ! -e ${name} ] && [ ! -L ${name} ]; }
rm -rfv ${name} 2>/dev/null | awk 'NR % 1000 == 0 { print "."; fflush() }' || :
if ! is_gone; then
  find ${name} -type d ! -perm -700 -exec chmod u+rwx {} \\; 2>/dev/null || :
  why=$(rm -rf ${name} 2>&1 | tail -n 3)
  if ! is_gone; then
    case $why in *'Directory not empty') exit ${busyCode} ;; esac
    printf '%s\\n' "$why" >&2
    exit 1
  fi
fi`;
}
