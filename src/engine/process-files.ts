import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, lstat, mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { ownFiles } from '../calcjob/context.js';
import { WherryError } from '../errors.js';
import type { Repository } from '../store/repository.js';
import type { Store } from '../store/store.js';
import type { FileRow } from '../store/tables.js';

export type FileRole = 'inputs' | 'outputs';

/** The stored files of a process, those of one folder or one file when a path is given. Errors: `not-found`. */
export async function storedFiles(
  store: Store,
  processId: number,
  role: FileRole,
  asked?: string | undefined,
): Promise<FileRow[]> {
  const rows = await store
    .selectFrom('files')
    .selectAll()
    .where('process_id', '=', processId)
    .where('role', '=', role)
    .orderBy('path')
    .execute();
  const wanted = below(rows, asked);
  if (wanted.length === 0 && asked !== undefined) throw noSuchFile(processId, role, asked, rows);
  return wanted;
}

/** Those entries that are `asked` or stand below it; when nothing is asked, all but Wherry's own (`.wherry`). */
export function below<Entry extends { readonly path: string }>(
  entries: readonly Entry[],
  asked: string | undefined,
): Entry[] {
  const folder = (asked ?? '').replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  const own = ownFiles.directory;
  if (folder === '' || folder === '.') return entries.filter(({ path }) => path !== own && !path.startsWith(`${own}/`));
  return entries.filter((entry) => entry.path === folder || entry.path.startsWith(`${folder}/`));
}

function noSuchFile(processId: number, role: string, asked: string, rows: readonly FileRow[]): WherryError {
  const hint =
    rows.length === 0
      ? `it has no ${role} at all; see: wherry explain ${processId}`
      : `see: wherry files ls ${processId}${role === 'inputs' ? ' --inputs' : ''}; on the computer: --remote`;
  return new WherryError('not-found', `process ${processId} has no file "${asked}" among its ${role}`, { hint });
}

/** A file to be written below a folder here. */
export interface OutgoingFile {
  /** Relative, with `/`. */
  readonly path: string;
  readonly mode: number;
  /** The local file that holds the bytes. */
  source(): Promise<string>;
}

/** A stored file as something to be written. */
export function outgoing(repository: Repository, row: Pick<FileRow, 'path' | 'mode' | 'sha256'>): OutgoingFile {
  return { path: row.path, mode: row.mode, source: () => repository.locate(row.sha256) };
}

/**
 * Copies files into a folder, which is made. Nothing is written outside of it, through a link in it, or over what
 * stands there, unless `force`. Errors: `file-exists` and `unsafe-path`, before anything is written.
 */
export async function copyInto(folder: string, files: readonly OutgoingFile[], force: boolean): Promise<void> {
  for (const file of files) await checkTarget(folder, file.path, force);
  await mkdir(folder, { recursive: true });
  for (const file of files) {
    const target = path.join(folder, file.path);
    await mkdir(path.dirname(target), { recursive: true });
    await checkTarget(folder, file.path, force);
    await place(await file.source(), target, file.mode, force);
  }
}

/** Complete or not at all, and never through a link: a new file beside it takes its name. */
async function place(source: string, target: string, mode: number, force: boolean): Promise<void> {
  const temporary = `${target.slice(0, target.lastIndexOf('/'))}/.wherry-${randomUUID()}`;
  try {
    await copyFile(source, temporary, constants.COPYFILE_EXCL);
    const handle = await open(temporary, 'r');
    try {
      await handle.chmod((mode & 0o777) | 0o600);
    } finally {
      await handle.close();
    }
    if (!force) await refuseExisting(target);
    await rename(temporary, target);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function checkTarget(folder: string, relative: string, force: boolean): Promise<void> {
  const segments = relative.split('/');
  if (relative.includes('\0') || segments.some((part) => part === '' || part === '.' || part === '..')) {
    throw new WherryError('unsafe-path', `"${relative}" cannot be the name of a file here`);
  }
  for (let length = 1; length < segments.length; length++) {
    const parent = path.join(folder, ...segments.slice(0, length));
    const found = await lstat(parent).catch(() => undefined);
    if (found !== undefined && !found.isDirectory()) {
      throw new WherryError('unsafe-path', `${parent} is no folder (or a link), so nothing is written below it`, {
        hint: 'choose another folder with --to DIR',
      });
    }
  }
  const target = path.join(folder, relative);
  if (!force) return refuseExisting(target);
  const found = await lstat(target).catch(() => undefined);
  if (found?.isDirectory()) {
    throw new WherryError('file-exists', `${target} is a folder, where a file should go`, { hint: 'choose --to DIR' });
  }
}

async function refuseExisting(target: string): Promise<void> {
  if ((await lstat(target).catch(() => undefined)) === undefined) return;
  throw new WherryError('file-exists', `${target} exists already`, {
    hint: 'overwrite with --force, or choose another folder with --to DIR',
  });
}

/** Where results of a process go when nobody says where: its label if that makes a good name, else its id. */
export function folderName({ id, label }: { readonly id: number; readonly label: string }): string {
  return /^[\p{L}\p{N}_][\p{L}\p{N} _.+-]{0,99}$/u.test(label) ? label : String(id);
}
