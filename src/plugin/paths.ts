import { WherryError } from '../errors.js';
import type { TreeEntry } from './transport.js';

const surrogate = /\p{Surrogate}/u;

function unsafe(path: string, reason: string): WherryError {
  return new WherryError('unsafe-path', `the path ${JSON.stringify(path.slice(0, 200))} ${reason}`, {
    hint: 'use a plain path without ".", ".." and empty parts',
  });
}

function checkSegments(path: string, segments: readonly string[]): void {
  if (path.includes('\0')) throw unsafe(path, 'contains a NUL character');
  if (surrogate.test(path)) throw unsafe(path, 'cannot be written as UTF-8');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw unsafe(path, 'has an empty part, "." or ".."');
  }
}

/** Gives the path back when it stays below the folder it is relative to; else throws `unsafe-path`. */
export function checkRelativePath(path: string): string {
  checkSegments(path, path.split('/'));
  return path;
}

/**
 * The absolute path without repeated or trailing slashes. Throws `unsafe-path` when it is not absolute, has `.` or `..`
 * in it, or has fewer than `depth` parts: nothing is to replace or remove `/` or `/home` by a slip.
 */
export function checkAbsolutePath(path: string, depth = 0): string {
  if (!path.startsWith('/')) throw unsafe(path, 'is not absolute');
  const segments = path.split('/').filter((segment) => segment !== '');
  checkSegments(path, segments);
  if (segments.length < depth) throw unsafe(path, 'is too near to the root of the file system');
  return `/${segments.join('/')}`;
}

/** The path of the directory that holds an absolute path. */
export function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** Every directory above a relative path, the topmost first. */
export function ancestorsOf(path: string): string[] {
  const segments = path.split('/');
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join('/'));
}

/**
 * Checks a tree before anything is sent. Throws `unsafe-path` for a path that could leave the folder, stands twice, or
 * lies below a file or link of the same tree, and `bad-input` for a file whose size or hash cannot be true.
 */
export function checkTree(tree: readonly TreeEntry[]): void {
  const paths = new Set<string>();
  const leaves = new Set<string>();
  for (const entry of tree) {
    checkRelativePath(entry.path);
    if (paths.has(entry.path)) throw unsafe(entry.path, 'stands twice in the tree');
    paths.add(entry.path);
    if (entry.type !== 'directory') leaves.add(entry.path);
    if (entry.type === 'symlink' && (entry.target === '' || /[\0\p{Surrogate}]/u.test(entry.target))) {
      throw unsafe(entry.path, 'is a link with a target that cannot be used');
    }
    if (entry.type === 'file') checkFile(entry);
  }
  for (const path of paths) {
    if (ancestorsOf(path).some((ancestor) => leaves.has(ancestor))) {
      throw unsafe(path, 'lies below a file or link of the same tree');
    }
  }
}

function checkFile(entry: Extract<TreeEntry, { type: 'file' }>): void {
  const { size, sha256, content } = entry;
  const sizeIsTrue = Number.isSafeInteger(size) && size >= 0;
  if (!sizeIsTrue || !/^[0-9a-f]{64}$/.test(sha256) || ('byteLength' in content && content.byteLength !== size)) {
    throw new WherryError('bad-input', `the size or SHA-256 given for ${JSON.stringify(entry.path)} cannot be true`);
  }
}
