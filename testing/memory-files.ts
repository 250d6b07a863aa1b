import { type RemoteEntry, WherryError } from '../src/plugin.js';

type Node =
  | { readonly type: 'file'; readonly content: Buffer; readonly mode: number; readonly at: number }
  | { readonly type: 'directory'; readonly mode: number; readonly at: number }
  | { readonly type: 'symlink'; readonly target: string; readonly mode: number; readonly at: number };

/** A file system in memory: absolute paths, no owners, links that are not followed. */
export class MemoryFiles {
  readonly #nodes = new Map<string, Node>();
  /** Names of what stands directly in a directory. */
  readonly #children = new Map<string, Set<string>>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  exists(path: string): boolean {
    return path === '/' || this.#nodes.has(path);
  }

  /** Content of a file; undefined when there is no such file. */
  text(path: string): string | undefined {
    return this.bytes(path)?.toString();
  }

  bytes(path: string): Buffer | undefined {
    const node = this.#nodes.get(path);
    return node?.type === 'file' ? node.content : undefined;
  }

  linkTarget(path: string): string | undefined {
    const node = this.#nodes.get(path);
    return node?.type === 'symlink' ? node.target : undefined;
  }

  write(path: string, content: string | Uint8Array, mode = 0o644): void {
    this.makeDirectory(parentOf(path));
    this.#put(path, { type: 'file', content: Buffer.from(content), mode, at: this.#now() });
  }

  symlink(target: string, path: string): void {
    this.makeDirectory(parentOf(path));
    this.#put(path, { type: 'symlink', target, mode: 0o777, at: this.#now() });
  }

  makeDirectory(path: string): void {
    if (path === '/' || this.#nodes.get(path)?.type === 'directory') return;
    if (this.#nodes.has(path)) throw new WherryError('file-exists', `${path} exists and is no directory`);
    this.makeDirectory(parentOf(path));
    this.#put(path, { type: 'directory', mode: 0o755, at: this.#now() });
  }

  changeMode(path: string, mode: number): void {
    this.#put(path, { ...this.#node(path), mode });
  }

  /** The file or tree; nothing happens when it does not exist. */
  remove(path: string): void {
    for (const name of [...(this.#children.get(path) ?? [])]) this.remove(`${path}/${name}`);
    this.#children.delete(path);
    this.#nodes.delete(path);
    this.#children.get(parentOf(path))?.delete(nameOf(path));
  }

  copy(from: string, to: string): void {
    const node = this.#node(from);
    this.makeDirectory(parentOf(to));
    this.#put(to, node);
    for (const name of this.#children.get(from) ?? []) this.copy(`${from}/${name}`, `${to}/${name}`);
  }

  rename(from: string, to: string): void {
    if (this.#nodes.get(to)?.type === 'directory') throw new WherryError('file-exists', `${to} exists`);
    this.copy(from, to);
    this.remove(from);
  }

  /** The entry of one path. Errors: `file-missing`. */
  entry(path: string, name = path): RemoteEntry {
    const node = this.#node(path);
    const size = node.type === 'file' ? node.content.length : 0;
    return { path: name, type: node.type, size, mode: node.mode, modifiedAt: node.at };
  }

  /** What stands at and below a path, told relative to `directory`. */
  below(directory: string, root: string, maxDepth = Number.POSITIVE_INFINITY): RemoteEntry[] {
    const path = root === '' || root === '.' ? directory : `${directory}/${root}`;
    if (!this.exists(path)) return [];
    const entry = this.entry(path, path.slice(directory.length + 1));
    const names = maxDepth > 0 ? [...(this.#children.get(path) ?? [])].sort() : [];
    const relative = (name: string) => (entry.path === '' ? name : `${entry.path}/${name}`);
    return [entry, ...names.flatMap((name) => this.below(directory, relative(name), maxDepth - 1))];
  }

  #node(path: string): Node {
    const node = this.#nodes.get(path);
    if (node === undefined) throw new WherryError('file-missing', `${path}: No such file or directory`);
    return node;
  }

  #put(path: string, node: Node): void {
    this.#nodes.set(path, node);
    const siblings = this.#children.get(parentOf(path)) ?? new Set();
    this.#children.set(parentOf(path), siblings.add(nameOf(path)));
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
