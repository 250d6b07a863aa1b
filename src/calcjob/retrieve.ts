import path from 'node:path';
import picomatch from 'picomatch';
import type { RetrieveEntry } from '../config/staging.js';
import { WherryError } from '../errors.js';
import type { RemoteEntry } from '../plugin/transport.js';
import type { Transition } from '../process/transition.js';
import { mapBounded } from '../store/map-bounded.js';
import type { FileRow } from '../store/tables.js';
import { adoption } from './adoption.js';
import { type CalcJobContext, deadlines, ownFiles, readState, writeState } from './context.js';
import { decisionOf } from './monitors.js';
import { sweepPassing } from './passing.js';
import { streamsOf } from './programs.js';

/** Where a file of the job's directory goes in the results. */
interface Selected {
  readonly file: RemoteEntry;
  /** Path in the results. */
  readonly target: string;
}

/**
 * Brings the results: one listing, one stream into a temporary folder, every size checked; then content into the
 * repository and the rows with the transition. Repeating it costs a transfer and changes nothing.
 */
export async function retrieve(context: CalcJobContext): Promise<Transition> {
  const { connection, row, job, repository, signal } = context;
  const directory = row.remote_directory;
  if (directory === null) throw new WherryError('internal', `process ${row.id} has no directory to retrieve from`);
  const elsewhere = await adoption(context);
  if (elsewhere !== undefined) return elsewhere;
  const decision = await decisionOf(context.store, row, job);
  if (decision?.retrieve === false) return { to: 'running', stage: 'parse' };
  const own: string[] = [ownFiles.exit, ownFiles.schedulerStdout, ownFiles.schedulerStderr];
  const asked = [...job.retrieve, ...(job.retrieveAlso ?? [])];
  const entries: RetrieveEntry[] = [...asked, ...streamsOf(job)];
  const passing = job.retrieveTemporary ?? [];
  const roots = [...new Set([...[...entries, ...passing].map((entry) => rootOf(patternOf(entry))), ...own])];
  const found = await connection.find(directory, roots, { timeout: deadlines.transfer, signal });
  const kept = select(entries, found);
  for (const file of found)
    if (own.includes(file.path) && file.type === 'file') kept.selected.push({ file, target: file.path });
  const brief = select(passing, found);

  await using temporary = await repository.temporaryDirectory();
  const files = [...new Map([...kept.selected, ...brief.selected].map(({ file }) => [file.path, file])).values()];
  await connection.download(directory, files, temporary.path, { timeout: deadlines.transfer, signal });
  const rows = [
    ...(await enter(context, temporary.path, 'temporary', brief.selected, kept.selected)),
    ...(await enter(context, temporary.path, 'outputs', kept.selected)),
  ];

  const commandExit = await exitCodeOf(context, rows);
  const named = new Set([...asked, ...passing].map(patternOf));
  const missing = [...new Set([...kept.missing, ...brief.missing])].filter((name) => named.has(name));
  const state = { ...readState(row), missing, ...(commandExit === undefined ? {} : { commandExit }) };
  return {
    to: 'running',
    stage: 'parse',
    changes: { checkpoint: writeState(state) },
    events: missing.map((name) => ({
      type: 'process.report' as const,
      data: { level: 'warning' as const, message: `"${name}" was to be retrieved and does not exist` },
    })),
    also: async (transaction) => {
      await transaction
        .deleteFrom('files')
        .where('process_id', '=', row.id)
        .where('role', 'in', ['outputs', 'temporary'])
        .execute();
      // Chunks keep the number of bound values below what the databases allow.
      for (let start = 0; start < rows.length; start += 1000) {
        await transaction
          .insertInto('files')
          .values(rows.slice(start, start + 1000))
          .execute();
      }
    },
  };
}

const hasGlob = (pattern: string) => /[*?[\]{}]/.test(pattern);

function patternOf(entry: RetrieveEntry): string {
  const pattern = typeof entry === 'string' ? entry : entry.from;
  return pattern.replace(/\/+$/, '');
}

/** The part of a pattern that is surely a plain path: what has to be listed. */
function rootOf(pattern: string): string {
  if (!hasGlob(pattern)) return pattern;
  const segments = pattern.split('/');
  const plain = segments.slice(0, segments.findIndex(hasGlob));
  return plain.length === 0 ? '.' : plain.join('/');
}

/**
 * Chooses the files that the entries name and where they go. A name that looks like a glob and
 * exists is meant as well as what it matches. A folder brings everything below it. Wherry's own folder is never matched.
 */
export function select(
  entries: readonly RetrieveEntry[],
  found: readonly RemoteEntry[],
): { selected: Selected[]; missing: string[] } {
  const candidates = found.filter((entry) => !isOwn(entry.path));
  const files = candidates.filter((entry) => entry.type === 'file');
  const byTarget = new Map<string, Selected>();
  const missing: string[] = [];
  for (const entry of entries) {
    const pattern = patternOf(entry);
    const plain = plainMatches(pattern, files);
    const matches = hasGlob(pattern) ? [...plain, ...globMatches(pattern, candidates, files)] : plain;
    const exists = plain.length > 0 || candidates.some((candidate) => candidate.path === pattern);
    if (!exists && !hasGlob(pattern)) missing.push(pattern);
    for (const { file, top } of matches) {
      const target = targetOf(entry, file.path, top);
      if (!isOwn(target) && !byTarget.has(target)) byTarget.set(target, { file, target });
    }
  }
  return { selected: [...byTarget.values()], missing };
}

/** Does it belong to Wherry's own folder, in the job's directory as in the results? */
function isOwn(name: string): boolean {
  return name === ownFiles.directory || name.startsWith(`${ownFiles.directory}/`);
}

interface Match {
  readonly file: RemoteEntry;
  /** The file or folder that the entry named; the file is it or stands below it. */
  readonly top: string;
}

function plainMatches(name: string, files: readonly RemoteEntry[]): Match[] {
  return files
    .filter((file) => file.path === name || file.path.startsWith(`${name}/`))
    .map((file) => ({ file, top: name }));
}

function globMatches(pattern: string, candidates: readonly RemoteEntry[], files: readonly RemoteEntry[]): Match[] {
  const isMatch = picomatch(pattern, { dot: false, nonegate: true });
  const matches: Match[] = files.filter((file) => isMatch(file.path)).map((file) => ({ file, top: file.path }));
  const folders = candidates.filter((entry) => entry.type === 'directory' && isMatch(entry.path));
  for (const folder of folders)
    matches.push(...plainMatches(folder.path, files).filter(({ file }) => !isMatch(file.path)));
  return matches;
}

/**
 * A plain entry keeps its path; with `to` or `depth` the last `depth` segments of what it named go under `to`. Of a
 * folder and depth 0 that is what stands in it; a file keeps its name at least.
 */
function targetOf(entry: RetrieveEntry, file: string, top: string): string {
  if (typeof entry === 'string' || (entry.to === undefined && entry.depth === undefined)) return file;
  const depth = entry.depth === undefined ? 1 : (entry.depth ?? Number.POSITIVE_INFINITY);
  const segments = top.split('/');
  const least = file === top ? 1 : 0;
  const kept = segments.slice(Math.max(0, segments.length - Math.max(least, depth)));
  const below = file === top ? [] : [file.slice(top.length + 1)];
  const folder = entry.to === undefined || entry.to === '.' ? [] : [entry.to.replace(/\/+$/, '')];
  return [...folder, ...kept, ...below].join('/');
}

/**
 * Takes what was brought into the repository; what is temporary is kept aside.
 * @param besides what is to be entered later from the same folder
 */
async function enter(
  context: CalcJobContext,
  folder: string,
  role: 'outputs' | 'temporary',
  selected: readonly Selected[],
  besides: readonly Selected[] = [],
): Promise<FileRow[]> {
  const { row, repository } = context;
  const place = role === 'outputs' ? repository : repository.passing(row.uuid);
  if (role === 'temporary' && selected.length > 0) await sweepPassing(context, context.now());
  const later = new Set(besides.map(({ file }) => file.path));
  const paths = [...new Set(selected.map(({ file }) => file.path))];
  const contents = await mapBounded(paths, (name) => {
    const source = path.join(folder, name);
    return later.has(name) ? place.putFile(source) : place.adopt(source);
  });
  const stored = new Map(paths.map((name, index) => [name, contents[index]]));
  return selected.map(({ file, target }) => {
    const content = stored.get(file.path);
    if (content === undefined) throw new WherryError('internal', `${file.path} was not stored`);
    return { process_id: row.id, role, path: target, ...content, mode: file.mode & 0o777 };
  });
}

async function exitCodeOf({ repository }: CalcJobContext, rows: readonly FileRow[]): Promise<number | undefined> {
  const row = rows.find((file) => file.role === 'outputs' && file.path === ownFiles.exit);
  if (row === undefined || row.size > 16) return undefined;
  return parseExitFile((await repository.read(row.sha256)).toString('latin1'));
}

/** The exit code that the job script left; undefined when the text is no such thing. */
export function parseExitFile(text: string): number | undefined {
  const match = /^(\d{1,3})\n$/.exec(text);
  return match === null ? undefined : Number(match[1]);
}
