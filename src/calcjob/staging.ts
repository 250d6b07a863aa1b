import type { RemoteFiles } from '../config/staging.js';
import { exitCodes } from '../plugin/failure.js';
import { quote } from '../plugin/shell.js';
import { type ExitCode, standardExit } from '../process/exit-codes.js';
import { type CalcJobContext, ownFiles } from './context.js';
import { isPattern, longScript, patternWord, runLongScript } from './long-script.js';

/** One thing that is to be had from the computer itself. */
interface Source {
  readonly kind: 'copy' | 'link';
  /** Absolute; it may be a pattern. */
  readonly from: string;
  readonly to: string;
}

/** Exit code of the script when something is not there. */
const missingCode = 66;

/**
 * Copies and links what the computer has already into the job's directory, once the input files are there. All of it is
 * gathered aside first, so that nothing of it comes after a failure; done again after a crash it is the same.
 * @returns how the process ends when something is not there; undefined when all is in its place
 */
export async function stageRemoteFiles(context: CalcJobContext, directory: string): Promise<ExitCode | undefined> {
  const { remoteCopy = [], remoteSymlink = [] } = context.job;
  const asked = [
    ...remoteCopy.map((files) => ({ files, kind: 'copy' as const })),
    ...remoteSymlink.map((files) => ({ files, kind: 'link' as const })),
  ];
  if (asked.length === 0) return undefined;
  const sources: Source[] = [];
  const missing: string[] = [];
  for (const { files, kind } of asked) {
    const from = await placeOf(context, files);
    if (from.startsWith('/')) sources.push({ kind, from: from.replace(/\/+$/, ''), to: files.to });
    else missing.push(from);
  }
  if (missing.length === 0) {
    const action = `gather files of the computer in ${directory}`;
    const { lines } = await runLongScript(context, stagingScript(directory, sources), action, [missingCode]);
    for (const line of lines) {
      const source = sources[Number(/^missing (\d{1,4})$/.exec(line)?.[1])];
      if (source !== undefined) missing.push(source.from);
    }
  }
  return missing.length === 0 ? undefined : standardExit('MISSING_SOURCE', missing.join(', '));
}

/** The absolute path of a source; why there is none, where it is of a process that has left no directory here. */
async function placeOf({ store, row }: CalcJobContext, { from }: RemoteFiles): Promise<string> {
  if (typeof from === 'string') return from;
  const source = await store
    .selectFrom('processes')
    .select(['remote_directory', 'computer_id'])
    .where('id', '=', from.process)
    .executeTakeFirst();
  const isHere = source?.remote_directory && source.computer_id === row.computer_id;
  return isHere ? `${source.remote_directory}/${from.path}` : `${from.path} of process ${from.process}`;
}

/** The folder that is filled aside, and the sign that everything stands where it belongs. */
const aside = `${ownFiles.directory}/staging`;
const done = `${ownFiles.directory}/staged`;

/**
 * Looks for all sources, copies each into a folder of its own (\`./0\`, \`./1\` …), which may take long, and then moves
 * what is in these folders, one after the other, into the directory: later ones replace files of earlier ones. A script
 * that somebody has given up ends when its folder is gone, for all that it makes stands below it.
 */
function stagingScript(directory: string, sources: readonly Source[]): string {
  const prepare = `[ ! -e ${done} ] || exit 0\nrm -rf ${aside}\nmkdir -p ${aside}`;
  return [
    longScript(directory, prepare, aside),
    helpers,
    ...sources.map(({ from }, index) => `seek ${index} ${patternWord(from)}`),
    `[ -z "$missing" ] || exit ${missingCode}`,
    ...sources.flatMap(takeLines),
    ...sources.map((_, index) => `place ./${index} ${quote(directory)}`),
    `cd ${quote(directory)}`,
    `: > ${done}`,
    `rm -rf ${aside}`,
  ].join('\n');
}

function takeLines({ kind, from, to }: Source, index: number): string[] {
  const intoFolder = isPattern(from) || to === '.' || to.endsWith('/');
  const target = to === '.' ? `./${index}` : `./${index}/${to.replace(/\/+$/, '')}`;
  const folder = intoFolder ? target : target.slice(0, target.lastIndexOf('/'));
  const word = patternWord(from);
  // What a pattern finds beside what is meant by it.
  const skip = isPattern(from) ? `case \${one##*/} in .|..|${ownFiles.directory}) continue ;; esac; ` : '';
  return [
    `mkdir -p ${quote(folder)}`,
    intoFolder
      ? `for one in ${word}; do ${skip}take ${kind} "$one" ${quote(folder)}/"\${one##*/}"; done`
      : `take ${kind} ${word} ${quote(target)}`,
  ];
}

/**
 * `seek` notes a source that is not there. `take` copies or links one thing to a place where nothing stands: through no
 * link that something else has brought. `place` moves what is in a folder into another; folders that exist are filled,
 * links are replaced and never followed, and a folder and anything else never replace each other.
 */
const helpers = `\
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
}
refuse() { printf '%s: %s\\n' "$1" "$2" >&2; exit ${exitCodes.exists}; }
take() {
  if [ -e "$3" ] || [ -L "$3" ]; then refuse "$3" 'there are two of this name'; fi
  case $1 in
    copy) cp -RH "$2" "$3" ;;
    link) ln -s "$2" "$3" ;;
  esac
}
is_folder() { [ -d "$1" ] && [ ! -L "$1" ]; }
place() {
  for one in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    if [ ! -e "$one" ] && [ ! -L "$one" ]; then continue; fi
    to=$2/\${one##*/}
    if is_folder "$one" && is_folder "$to"; then
      ( place "$one" "$to" )
    elif is_folder "$to"; then
      refuse "$to" 'it is a folder, and something else was to go there'
    elif is_folder "$one" && { [ -e "$to" ] || [ -L "$to" ]; }; then
      refuse "$to" 'it is no folder, and a folder was to go there'
    else
      mv -fT "$one" "$to"
    fi
  done
}`;
