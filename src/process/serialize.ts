import { stat } from 'node:fs/promises';
import { isAbsolute } from 'node:path/posix';
import { dotted, type Path } from '../config/issues.js';
import { type Allowance, collectFiles, mostEntries, UnusableFile } from '../config/local-files.js';
import type { InputIssue } from '../errors.js';
import { type DataType, hashOf, type NewData, type StoredFile } from '../store/data.js';
import type { Repository } from '../store/repository.js';
import { Data, dataOf, FileContent, LocalFile } from './data.js';
/** What files can be to a process. */
export type FileKind = Exclude<DataType, 'value'>;

const nouns: Readonly<Record<DataType, string>> = {
  value: 'a value',
  file: 'a file',
  folder: 'a folder',
  'remote-folder': 'a folder on a computer',
};

/** A piece of data that was given, or is to be stored; and what checks see of it, as if it were stored. */
export interface Piece {
  readonly data: Data | NewData;
  readonly seen: Data;
}

/**
 * Makes data of what was given for a file or a folder; local files are put into the repository. Undefined when it is
 * none, which is told as an issue.
 */
export async function serializeFile(
  kind: FileKind,
  given: unknown,
  path: Path,
  context: { readonly repository: Repository; readonly issues: InputIssue[] },
): Promise<Piece | undefined> {
  const { repository, issues } = context;
  const refuse = (message: string): undefined => {
    issues.push({ path: dotted(path), message });
  };
  if (given instanceof Data) {
    return given.type === kind ? { data: given, seen: given } : refuse(mismatch(kind, nouns[given.type]));
  }
  if (kind === 'remote-folder') {
    const place = placeOf(given);
    return place === undefined
      ? refuse('must be a folder on a computer: {computer, path}, the path being absolute')
      : piece({ type: kind, content: place }, repository);
  }
  if (!isSource(given, kind)) return refuse(mismatch(kind, describe(given)));
  try {
    const isContent = given instanceof FileContent;
    const data = isContent ? await contentData(given, repository) : await localData(kind, given, repository);
    return piece(data, repository);
  } catch (error) {
    const name = given instanceof FileContent ? given.name : given.path;
    if (error instanceof UnusableFile) return refuse(`${JSON.stringify(name)}: ${error.message}`);
    throw error;
  }
}

/** The kind of data that something becomes where any is taken. */
export async function kindOf(given: unknown): Promise<DataType> {
  if (given instanceof Data) return given.type;
  if (given instanceof LocalFile) return (await isDirectory(given.path)) ? 'folder' : 'file';
  return given instanceof FileContent ? 'file' : 'value';
}

/** What stands where a piece of another kind should, as a message. */
export function mismatch(kind: DataType, found: string): string {
  const advice = kind === 'file' || kind === 'folder' ? '; give new LocalFile(path)' : '';
  return `must be ${nouns[kind]}, not ${found}${advice}`;
}

/** The kind of stored data, in words. */
export function nounOf(data: Data): string {
  return nouns[data.type];
}

function isSource(given: unknown, kind: 'file' | 'folder'): given is LocalFile | FileContent {
  return given instanceof LocalFile || (kind === 'file' && given instanceof FileContent);
}

function describe(given: unknown): string {
  if (given instanceof FileContent) return 'a file';
  return typeof given === 'string' ? 'text' : 'a value';
}

/** Until it is stored, data has no id and no uuid. */
function piece(data: NewData, repository: Repository): Piece {
  const stored = { ...data, files: data.files ?? [], id: 0, uuid: '', hash: hashOf(data) };
  return { data, seen: dataOf(stored, (sha256) => repository.locate(sha256)) };
}

async function localData(kind: 'file' | 'folder', { path, name }: LocalFile, repository: Repository): Promise<NewData> {
  const isFolder = await isDirectory(path);
  if (kind === 'file') {
    if (isFolder) throw new UnusableFile('is a folder, must be a file');
    checkName(name);
    return { type: kind, content: { name }, files: await stored(path, name, repository) };
  }
  if (!isFolder) throw new UnusableFile('must be a folder');
  const files = await stored(path, '.', repository);
  return { type: kind, content: {}, files: files.map((file) => ({ ...file, path: file.path.slice('./'.length) })) };
}

async function contentData({ name, bytes }: FileContent, repository: Repository): Promise<NewData> {
  checkName(name);
  const { sha256, size } = await repository.put(bytes);
  return { type: 'file', content: { name }, files: [{ path: name, sha256, size, mode: 0o644 }] };
}

async function stored(source: string, path: string, repository: Repository): Promise<StoredFile[]> {
  const allowance: Allowance = { left: mostEntries };
  const files: StoredFile[] = [];
  for (const found of await collectFiles(source, path, allowance)) {
    const { sha256, size } = await repository.putFile(found.source);
    files.push({ path: found.path, sha256, size, mode: found.mode });
  }
  return files;
}

/** What does not exist is told by who collects the files. */
async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
}

function checkName(name: string): void {
  const usable = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
  if (!usable) throw new UnusableFile(`${JSON.stringify(name)} cannot be the name of a file`);
}

function placeOf(given: unknown): { computer: string; path: string } | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { computer, path, ...rest } = given as Readonly<Record<string, unknown>>;
  if (typeof computer !== 'string' || computer === '' || typeof path !== 'string' || !isAbsolute(path))
    return undefined;
  return Object.keys(rest).length > 0 || path.includes('\0') ? undefined : { computer, path };
}
