import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { WherryError } from '../errors.js';
import type { DataType, StoredData, StoredFile } from '../store/data.js';

/** Finds where the content of a file is here, by its hash. */
export type Locate = (sha256: string) => Promise<string>;

/**
 * A stored, immutable piece of data. Whoever passes it on passes on the same piece: so it is known where everything
 * came from.
 */
export class Data<Value = unknown> {
  readonly id: number;
  readonly uuid: string;
  readonly type: DataType;
  /** Equal pieces have equal hashes. */
  readonly hash: string;
  /** Frozen, all the way down. */
  readonly value: Value;

  constructor({ id, uuid, type, hash, content }: StoredData) {
    this.id = id;
    this.uuid = uuid;
    this.type = type;
    this.hash = hash;
    this.value = deepFreeze(content) as Value;
  }
}

/** A stored tree of files. */
export class FolderData extends Data<unknown> {
  readonly files: readonly StoredFile[];
  readonly #locate: Locate;

  constructor(stored: StoredData, locate: Locate) {
    super(stored);
    this.files = stored.files;
    this.#locate = locate;
  }

  has(path: string): boolean {
    return this.files.some((file) => file.path === path);
  }

  /** The path of the file's content here, which must not be changed. Errors: `file-missing`. */
  async locate(path: string): Promise<string> {
    const file = this.files.find((candidate) => candidate.path === path);
    if (file === undefined) throw new WherryError('file-missing', `there is no file ${JSON.stringify(path)}`);
    return this.#locate(file.sha256);
  }

  /** The content as UTF-8. Errors: `file-missing`. */
  async text(path: string): Promise<string> {
    return readFile(await this.locate(path), 'utf8');
  }

  /** Errors: `file-missing`. */
  async bytes(path: string): Promise<Uint8Array> {
    return readFile(await this.locate(path));
  }

  /** Errors: `file-missing`. */
  async stream(path: string): Promise<Readable> {
    return createReadStream(await this.locate(path));
  }
}

/** A stored file. */
export class FileData extends Data<{ readonly name: string }> {
  readonly file: StoredFile;
  readonly #locate: Locate;

  constructor(stored: StoredData, locate: Locate) {
    super(stored);
    const [file] = stored.files;
    if (file === undefined) throw new WherryError('internal', `the file ${stored.uuid} has no content`);
    this.file = file;
    this.#locate = locate;
  }

  get name(): string {
    return this.value.name;
  }

  /** The path of its content here, which must not be changed. */
  locate(): Promise<string> {
    return this.#locate(this.file.sha256);
  }

  /** Its content as UTF-8. */
  async text(): Promise<string> {
    return readFile(await this.locate(), 'utf8');
  }

  async bytes(): Promise<Uint8Array> {
    return readFile(await this.locate());
  }
}

/** A directory on a computer. */
export class RemoteFolderData extends Data<{ readonly computer: string; readonly path: string }> {}

/** Stored data as those who use it see it. */
export function dataOf(stored: StoredData, locate: Locate): Data {
  if (stored.type === 'file') return new FileData(stored, locate);
  if (stored.type === 'folder') return new FolderData(stored, locate);
  return stored.type === 'remote-folder' ? new RemoteFolderData(stored) : new Data(stored);
}

/** A file or folder here that becomes data when it is given to a process. */
export class LocalFile {
  readonly path: string;
  /** What the file is called as data; of a folder it is not kept. */
  readonly name: string;

  /**
   * @param path relative names start from the current folder
   * @param name default: the last part of the path
   */
  constructor(path: string, name: string = basename(path)) {
    this.path = path;
    this.name = name;
  }
}

/** Text or bytes that become a file when they are given to a process. */
export class FileContent {
  readonly name: string;
  readonly sha256: string;
  readonly #bytes: Uint8Array;

  /** @param content text is written as UTF-8 */
  constructor(name: string, content: string | Uint8Array) {
    this.name = name;
    this.#bytes = Buffer.from(content);
    this.sha256 = createHash('sha256').update(this.#bytes).digest('hex');
  }

  get bytes(): Uint8Array {
    return this.#bytes;
  }
}

/** Freezes a JSON value and everything in it. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}
