import type { Job } from '../config/job.js';
import type { RemoteFiles, Unstash } from '../config/staging.js';
import { quote } from '../plugin/shell.js';
import { standardExit } from '../process/exit-codes.js';
import type { Transition } from '../process/transition.js';
import { fromJson, type Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import { whyCleaned } from './cleaned.js';
import { type CalcJobContext, ownFiles, remoteDirectory, type StashedFiles, writeState } from './context.js';
import { isPattern, longScript, missingCode, missingOf, patternWord, runLongScript, seeking } from './long-script.js';
import { archiveName } from './stash.js';

/** One thing that is to be had from the computer itself. */
interface Source {
  readonly kind: 'copy' | 'link' | 'unstash';
  /** Absolute; it may be a pattern, unless it is the folder of a stash. */
  readonly from: string;
  readonly to: string;
  /** What is wanted of a stash; undefined: everything. */
  readonly files?: readonly string[] | undefined;
}

/** Where something is to be had, or what to call what is not to be had. */
type Place = { readonly from: string } | { readonly missing: string };

/** Is anything of the job to be had from the computer itself? */
export function takesFromComputer({ unstash, remoteCopy = [], remoteSymlink = [] }: Job): boolean {
  return unstash !== undefined || remoteCopy.length + remoteSymlink.length > 0;
}

/**
 * Brings back, copies and links what the computer has already into the job's directory, once the input files are there.
 * All of it is gathered aside first, so that nothing of it comes after a failure; done again after a crash it is the
 * same. Where something is not there the process ends, and nothing is submitted.
 */
export async function gather(context: CalcJobContext): Promise<Transition> {
  const { unstash, remoteCopy = [], remoteSymlink = [] } = context.job;
  const sources: Source[] = [];
  const missing: string[] = [];
  const add = (place: Place, source: Omit<Source, 'from'>) => {
    if ('from' in place) sources.push({ ...source, from: place.from.replace(/\/+$/, '') });
    else missing.push(place.missing);
  };
  if (unstash !== undefined) {
    add(await stashOf(context, unstash), { kind: 'unstash', to: unstash.into, files: unstash.files });
  }
  for (const files of remoteCopy) add(await placeOf(context, files), { kind: 'copy', to: files.to });
  for (const files of remoteSymlink) add(await placeOf(context, files), { kind: 'link', to: files.to });
  missing.push(...(await cleanedAmong(context, sources)));
  if (missing.length === 0) {
    const directory = remoteDirectory(context);
    const action = `gather files of the computer in ${directory}`;
    const { lines } = await runLongScript(context, gatheringScript(directory, sources), action, [missingCode]);
    missing.push(...missingOf(lines, sources.flatMap(namesIn)));
    // What was being removed meanwhile may have come in part.
    missing.push(...(await cleanedAmong(context, sources)));
  }
  if (missing.length === 0) return { to: 'waiting', stage: 'submit' };
  const refusal = standardExit('MISSING_SOURCE', missing.join(', '));
  return { to: 'running', stage: 'parse', changes: { checkpoint: writeState({ refusal }) } };
}

/** Of what is to be had, what stands in directories that were removed or are about to be. */
async function cleanedAmong({ store, row }: CalcJobContext, sources: readonly Source[]): Promise<string[]> {
  const gone: string[] = [];
  for (const { from } of sources) {
    const cleaned = await whyCleaned(store, row.computer_id, from);
    if (cleaned !== undefined) gone.push(`${from} (${cleaned})`);
  }
  return gone;
}

/** What is looked for, each with its number in this order. */
function namesIn({ from, files = [] }: Source): string[] {
  return [from, ...files.map((name) => `${name} in ${from}`)];
}

async function placeOf({ store, row }: CalcJobContext, { from }: RemoteFiles): Promise<Place> {
  if (typeof from === 'string') return { from };
  const source = await processHere(store, row, from.process);
  if (source?.remote_directory) return { from: `${source.remote_directory}/${from.path}` };
  return { missing: `${from.path} of process ${from.process}` };
}

async function stashOf({ store, row }: CalcJobContext, { from }: Unstash): Promise<Place> {
  if (typeof from === 'string') return { from };
  const source = await processHere(store, row, from);
  const outputs = fromJson<{ stash?: StashedFiles }>(source?.outputs ?? null);
  return outputs?.stash === undefined ? { missing: `the stash of process ${from}` } : { from: outputs.stash.path };
}

function processHere(store: Store, { computer_id }: ProcessRow, id: number): Promise<ProcessRow | undefined> {
  return store
    .selectFrom('processes')
    .selectAll()
    .where('id', '=', id)
    .where('computer_id', '=', computer_id)
    .executeTakeFirst();
}

/** The folder that is filled aside, and the sign that everything stands where it belongs. */
const aside = `${ownFiles.directory}/staging`;
const done = `${ownFiles.directory}/staged`;

/**
 * Looks for all sources, copies each into a folder of its own (\`./0\`, \`./1\` …), which may take long, and then moves
 * what is in these folders, one after the other, into the directory: later ones replace files of earlier ones. A script
 * that somebody has given up ends when its folder is gone, for all that it makes stands below it.
 */
function gatheringScript(directory: string, sources: readonly Source[]): string {
  const prepare = `[ ! -e ${done} ] || exit 0\nrm -rf ${aside}\nmkdir -p ${aside}`;
  const firsts: number[] = [];
  let count = 0;
  for (const source of sources) {
    firsts.push(count);
    count += namesIn(source).length;
  }
  const none = `[ -z "$missing" ] || exit ${missingCode}`;
  return [
    longScript(directory, prepare, aside),
    seeking,
    helpers,
    ...sources.map(({ from, kind }, index) => {
      return `seek ${firsts[index]} ${kind === 'unstash' ? quote(from) : patternWord(from)}`;
    }),
    none,
    ...sources.flatMap((source, index) => {
      if (source.kind === 'unstash') return [...unstashLines(source, index, firsts[index] ?? 0), none];
      return takeLines(source, index);
    }),
    ...sources.map((_, index) => `place ./${index} ${quote(directory)}`),
    `cd ${quote(directory)}`,
    `: > ${done}`,
    `rm -rf ${aside}`,
  ].join('\n');
}

function takeLines({ kind, from, to }: Source, index: number): string[] {
  const intoFolder = isPattern(from) || to === '.' || to.endsWith('/');
  const target = folderOf(index, to);
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

function unstashLines({ from, to, files }: Source, index: number, first: number): string[] {
  const folder = quote(folderOf(index, to));
  const words = files?.map((name) => `"$stash"/${patternWord(name.replace(/\/$/, ''))}`) ?? [];
  return [
    `mkdir -p ${folder}`,
    `open_stash ${quote(from)} ./${index}.stash`,
    ...(files === undefined ? [`bring_all ${folder}`] : []),
    ...words.map((word, place) => `seek ${first + 1 + place} ${word}`),
    ...words.map((word) => `bring ${folder} ${word}`),
  ];
}

/** Where one source is gathered. */
function folderOf(index: number, to: string): string {
  return to === '.' ? `./${index}` : `./${index}/${to.replace(/\/+$/, '')}`;
}

/**
 * `take` copies or links one thing to a place where nothing stands. `open_stash` finds the files of a stash, which it
 * unpacks where they are in an archive; `bring` brings some of them with their paths, `bring_all` moves or copies all.
 * `place` moves what is in a folder into another; folders that exist are filled, links are replaced and never followed,
 * and a folder and anything else never replace each other.
 */
const helpers = `\
take() {
  if [ -e "$3" ] || [ -L "$3" ]; then refuse "$3" 'there are two of this name'; fi
  case $1 in
    copy) cp -RH "$2" "$3" ;;
    link) ln -s "$2" "$3" ;;
  esac
}
open_stash() {
  stash=$1
  packed=
  for end in '' .gz .xz; do
    if [ -f "$1/${archiveName}$end" ]; then
      case $end in .gz) packer=-z ;; .xz) packer=-J ;; *) packer= ;; esac
      mkdir "$2"
      tar -x $packer -f "$1/${archiveName}$end" -C "$2"
      stash=$2
      packed=1
    fi
  done
}
bring() {
  to=$1
  shift
  for one do
    if [ ! -e "$one" ] && [ ! -L "$one" ]; then continue; fi
    name=\${one#"$stash"/}
    case "/$name/" in */./*|*/../*) continue ;; esac
    parents "$to" "$name"
    if [ ! -e "$to/$name" ] && [ ! -L "$to/$name" ]; then cp -RP "$one" "$to/$name"; fi
  done
}
bring_all() {
  for one in "$stash"/* "$stash"/.[!.]* "$stash"/..?*; do
    if [ ! -e "$one" ] && [ ! -L "$one" ]; then continue; fi
    if [ -n "$packed" ]; then mv "$one" "$1/"; else cp -RP "$one" "$1/"; fi
  done
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
