import { WherryError } from '../errors.js';
import { fileFailure } from './failure.js';
import { checkAbsolutePath, checkRelativePath } from './paths.js';
import { Progress } from './progress.js';
import { enter, overNames, scriptStart } from './script.js';
import { quote } from './shell.js';
import type { Exec, FileOperations, RemoteEntry, TransferOptions } from './transport.js';

type FindOptions = Parameters<FileOperations['find']>[2];

/** Type, size, mode, time and path of an entry, each entry ended by NUL. */
const format = String.raw`-printf '%y %s %m %T@ %p\0'`;
const types: Readonly<Record<string, RemoteEntry['type']>> = { f: 'file', d: 'directory', l: 'symlink' };
const defaultMaxEntries = 1_000_000;
/** Linux allows paths of 4096 bytes; a longer entry is no listing of ours. */
const longestEntry = 16_384;

/** Lists what stands at and below roots, as `FileOperations.find` promises, by one command. */
export async function find(
  exec: Exec,
  directory: string,
  roots: readonly string[],
  options: FindOptions,
): Promise<RemoteEntry[]> {
  const start = checkAbsolutePath(directory);
  const names = roots.map((root) => (root === '' || root === '.' ? '.' : `./${checkRelativePath(root)}`));
  const depth = options.maxDepth === undefined ? '' : `-maxdepth ${Math.trunc(options.maxDepth)} `;
  const { run, stdin } = overNames(names, (words) => `find -H ${words} ${depth}${format}`);
  const script = `${scriptStart}${enter(start)}${run}`;
  using progress = new Progress(options);
  const listing = new Listing(options.maxEntries ?? defaultMaxEntries);
  if (names.length === 0) return [];
  const result = await progress.run(exec, script, {
    ...stdin,
    onStdout: (chunk) => {
      progress.add(chunk.length);
      listing.add(chunk);
    },
  });
  const missing = /^find: .*: (?:No such file or directory|Not a directory)$/;
  const complaints = result.stderr.split('\n').filter((line) => line !== '' && !missing.test(line));
  const onlyMissing = [1, 123].includes(result.exitCode ?? 0) && complaints.length === 0 && result.stderr !== '';
  if (result.exitCode !== 0 && !onlyMissing) {
    if (result.stderr.includes('unrecognized: -printf')) throw unreadable();
    throw fileFailure({ ...result, stderr: complaints.join('\n') }, `list ${directory}`, script);
  }
  return listing.end();
}

/**
 * What one path is; a link is followed, a broken one is itself. The entry's `path` is the path that was asked for.
 * Fails with `file-missing`.
 */
export async function stat(exec: Exec, path: string, options: TransferOptions): Promise<RemoteEntry> {
  const script = `${scriptStart}find -H ${quote(checkAbsolutePath(path))} -maxdepth 0 ${format}`;
  using progress = new Progress(options);
  const listing = new Listing(1);
  const result = await progress.run(exec, script, { onStdout: (chunk) => listing.add(chunk) });
  if (result.exitCode !== 0) {
    const stderr = result.stderr.replace(/Not a directory$/m, 'No such file or directory');
    throw fileFailure({ ...result, stderr }, `look at ${path}`, script);
  }
  const [entry] = listing.end();
  if (entry === undefined) throw unreadable();
  return { ...entry, path };
}

/** Collects entries from the bytes that `find` prints. */
class Listing {
  readonly #maxEntries: number;
  /** By path: a directory that was asked for twice, by overlapping roots, is listed once. */
  readonly #entries = new Map<string, RemoteEntry>();
  #seen = 0;
  #rest: Buffer = Buffer.alloc(0);

  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  add(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
      this.#take(bytes.subarray(start, end));
      start = end + 1;
    }
    this.#rest = bytes.subarray(start);
    if (this.#rest.length > longestEntry) throw unreadable();
  }

  end(): RemoteEntry[] {
    if (this.#rest.length > 0) throw unreadable();
    return [...this.#entries.values()];
  }

  #take(line: Buffer): void {
    this.#seen++;
    if (this.#seen > this.#maxEntries) {
      throw new WherryError('output-too-large', `there are more than ${this.#maxEntries} files and directories`, {
        hint: 'ask for fewer, by narrower patterns or less depth',
      });
    }
    const entry = parseEntry(line);
    if (entry === undefined) return;
    const known = this.#entries.get(entry.path);
    // As a root a link was followed, and by being asked for that counts more than the link seen from above.
    if (known === undefined || known.type === 'symlink') this.#entries.set(entry.path, entry);
  }
}

/** Undefined for a name that is not UTF-8. */
function parseEntry(line: Buffer): RemoteEntry | undefined {
  const text = line.toString();
  if (!Buffer.from(text).equals(line)) return undefined;
  const match = /^(\S) (\d+) ([0-7]+) (-?\d+(?:\.\d+)?) (.+)$/s.exec(text);
  if (!match) throw unreadable();
  const [, type = '', size, mode = '', time, path = ''] = match;
  const relative = path === '.' ? '' : path.replace(/^\.\//, '');
  if (relative !== '' && !relative.startsWith('/')) checkRelativePath(relative);
  return {
    path: relative,
    type: types[type] ?? 'other',
    size: Number(size),
    mode: Number.parseInt(mode, 8),
    modifiedAt: Math.round(Number(time) * 1000),
  };
}

function unreadable(): WherryError {
  return new WherryError('command-failed', 'the listing of files cannot be read', {
    hint: 'the computer needs GNU find, with -printf',
  });
}
