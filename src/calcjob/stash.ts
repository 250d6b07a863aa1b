import type { Stash } from '../config/staging.js';
import { CommandError } from '../errors.js';
import { checkAbsolutePath } from '../plugin/paths.js';
import { quote } from '../plugin/shell.js';
import { type ExitCode, standardExit } from '../process/exit-codes.js';
import type { Transition } from '../process/transition.js';
import { adoption } from './adoption.js';
import {
  type CalcJobContext,
  type CalcJobState,
  ownFiles,
  readState,
  remoteDirectory,
  type StashedFiles,
  type StashOutcome,
  writeState,
} from './context.js';
import { jobDirectory } from './job-directory.js';
import { longScript, missingCode, missingOf, patternWord, runLongScript, seeking } from './long-script.js';

/** Name of the archive in its folder, without the end that tells how it is packed. */
export const archiveName = 'stash.tar';

/**
 * Keeps files of an ended job in a folder of the process's own, elsewhere on the computer: complete or not at all. What
 * has no hope of success is noted and is the failure of the process in the end; its results are retrieved all the same.
 * Repeating it changes nothing.
 */
export async function stash(context: CalcJobContext): Promise<Transition> {
  const { row, job, signal } = context;
  const elsewhere = await adoption(context);
  if (elsewhere !== undefined) return elsewhere;
  const wanted = job.stash;
  let outcome: StashOutcome | undefined;
  try {
    outcome = wanted && (await keep(context, wanted));
  } catch (error) {
    const isFinal = error instanceof CommandError && !error.transient && error.code !== 'aborted' && !signal.aborted;
    if (!isFinal) throw error;
    outcome = { failure: error.message };
  }
  const { stash: _, ...state } = readState(row);
  return {
    to: 'waiting',
    stage: 'retrieve',
    changes: { checkpoint: writeState(outcome === undefined ? state : { ...state, stash: outcome }) },
    events: reportsOf(outcome),
  };
}

/** The end of a process whose files could not be stashed is a failure, unless it failed anyway. */
export function withStash(exit: ExitCode, { stash: outcome }: CalcJobState): ExitCode {
  const hasFailed = typeof outcome === 'object' && 'failure' in outcome;
  return hasFailed && exit.status === 0 ? standardExit('STASH_FAILED', outcome.failure) : exit;
}

/** What is told of it among the outputs. */
export function stashedFiles({ stash: outcome }: CalcJobState): { readonly stash?: StashedFiles } {
  return typeof outcome === 'object' && 'path' in outcome ? { stash: outcome } : {};
}

function reportsOf(outcome: StashOutcome | undefined): NonNullable<Transition['events']> {
  if (outcome === undefined) return [];
  const told =
    'failure' in outcome
      ? [{ level: 'error' as const, message: `nothing was stashed: ${outcome.failure}` }]
      : outcome.missing.map((name) => ({
          level: 'warning' as const,
          message: `"${name}" was to be stashed and does not exist`,
        }));
  return told.map((data) => ({ type: 'process.report' as const, data }));
}

async function keep(context: CalcJobContext, wanted: Stash): Promise<StashOutcome> {
  const directory = remoteDirectory(context);
  const target = jobDirectory(checkAbsolutePath(wanted.to), context.row.uuid);
  const script = stashScript(directory, target, wanted);
  const { lines, exitCode } = await runLongScript(context, script, `stash files in ${target}`, [missingCode]);
  const missing = missingOf(lines, wanted.files);
  if (exitCode === missingCode) return { failure: `${missing.join(', ')}: no such file` };
  return { computer: context.computer.config.label, path: target, mode: wanted.mode, missing };
}

/**
 * Everything goes into \`<target>.part\`, which is given its name in the end. Only that folder is ever removed, and only
 * by the script that made it or the next one: of a script that was given up another may have taken the place.
 */
function stashScript(directory: string, target: string, { files, mode, dereference, failOnMissing }: Stash): string {
  const part = `${target}.part`;
  const words = files.map((name) => `${quote(directory)}/${patternWord(name.replace(/\/$/, ''))}`);
  const prepare = [
    `part=${quote(part)}`,
    'is_ours() { [ . -ef "$part" ]; }',
    seeking,
    ...words.map((word, index) => `seek ${index} ${word}`),
    ...(failOnMissing ? [`[ -z "$missing" ] || exit ${missingCode}`] : []),
    `[ ! -d ${quote(target)} ] || exit 0`,
    'rm -rf "$part"',
    'mkdir -p "$part"',
  ].join('\n');
  return [
    longScript(directory, prepare, part, '{ is_ours && cd / && rm -rf "$part"; }'),
    `directory=${quote(directory)}`,
    naming,
    ...(mode === 'copy' ? copying(words, dereference) : packing(words, mode, dereference)),
    'is_ours',
    `mv -T "$part" ${quote(target)}`,
  ].join('\n');
}

/** Sets `name` to the name of $1 in the job's directory. Patterns find more than is meant by them: that has none. */
const naming = `\
name_of() {
  name=
  if [ ! -e "$1" ] && [ ! -L "$1" ]; then return 0; fi
  case "\${1#"$directory"}/" in */./*|*/../*|/${ownFiles.directory}/*) return 0 ;; esac
  name=\${1#"$directory"/}
}`;

/** What was kept already, by another pattern, stays. */
function copying(words: readonly string[], dereference: boolean): string[] {
  return [
    'keep() {',
    '  parents . "$1"',
    `  if [ ! -e "./$1" ] && [ ! -L "./$1" ]; then cp ${dereference ? '-RL' : '-RP'} "$directory/$1" "./$1"; fi`,
    '}',
    `for one in ${words.join(' ')}; do name_of "$one"; [ -z "$name" ] || keep "$name"; done`,
  ];
}

const packers = { tar: '', 'tar.gz': '-z', 'tar.xz': '-J' } as const;

function packing(words: readonly string[], mode: Exclude<Stash['mode'], 'copy'>, dereference: boolean): string[] {
  const archive = `./${archiveName}${mode.slice('tar'.length)}`;
  const options = [packers[mode], dereference ? '-h' : ''].filter((option) => option !== '').join(' ');
  return [
    'set --',
    `for one in ${words.join(' ')}; do name_of "$one"; [ -z "$name" ] || set -- "$@" "./$name"; done`,
    // GNU tar reads a backslash in a name as the start of an escape; other tars do neither that nor know the option.
    'verbatim=--no-unquote; tar $verbatim --version >/dev/null 2>&1 || verbatim=',
    `[ $# = 0 ] || tar -c ${options} $verbatim -f ${archive} -C "$directory" "$@"`,
  ];
}
