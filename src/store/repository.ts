import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  createReadStream,
  existsSync,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
} from 'node:fs';
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { WherryError } from '../errors.js';

export interface StoredContent {
  /** Lower-case hex. */
  readonly sha256: string;
  /** Bytes. */
  readonly size: number;
}

/**
 * Files by the hash of their content, under `objects/ab/cdef…`: identical content is stored once. An object appears
 * complete or not at all (temporary file, fsync, rename) and is never changed.
 *
 * What takes microseconds is done at once, as the database beside it does: handing it to another thread costs more. What
 * takes long, because of the size of a file or because it waits for the disk, is handed over.
 */
export class Repository {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async put(content: Uint8Array): Promise<StoredContent> {
    const sha256 = createHash('sha256').update(content).digest('hex');
    if (!this.#has(sha256)) {
      const temporary = this.#temporaryFile();
      try {
        await writeFile(temporary, content, { flag: 'wx', mode: 0o600 });
        await this.#enter(temporary, sha256);
      } finally {
        await rm(temporary, { force: true });
      }
    }
    return { sha256, size: content.byteLength };
  }

  /** Copies a local file in. */
  async putFile(file: string): Promise<StoredContent> {
    const temporary = this.#temporaryFile();
    try {
      await copyFile(file, temporary);
      return await this.adopt(temporary);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** Moves a file of a temporary directory (see `temporaryDirectory`) in; the file is gone afterwards. */
  async adopt(file: string): Promise<StoredContent> {
    const content = await hashOf(file);
    if (this.#has(content.sha256)) {
      unlinkSync(file);
      return content;
    }
    // First of all: a file that may only be read could not be opened.
    chmodSync(file, 0o600);
    await this.#enter(file, content.sha256);
    return content;
  }

  /** The local file that holds this content; throws `not-found` when it is missing. */
  async locate(sha256: string): Promise<string> {
    if (!this.#has(sha256)) {
      throw new WherryError('not-found', `the repository has no content ${sha256}`, {
        hint: 'the file repository beside the store is incomplete; restore it from a backup',
      });
    }
    return this.#objectFile(sha256);
  }

  async read(sha256: string): Promise<Buffer> {
    const file = await this.locate(sha256);
    return statSync(file).size <= tinyFile ? readFileSync(file) : readFile(file);
  }

  /** A new empty directory on the repository's file system; removed when it is disposed of. */
  async temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
    const directory = this.#temporaryFile();
    mkdirSync(directory, { mode: 0o700 });
    return {
      path: directory,
      [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
    };
  }

  /**
   * A place of its own for files that are kept for a while only, by the uuid of the process that they belong to. What is
   * in it goes with `forget`.
   */
  passing(uuid: string): Repository {
    return new Repository(this.#passingDirectory(uuid));
  }

  /** Removes what was kept for a while only; nothing happens when there is nothing. */
  async forget(uuid: string): Promise<void> {
    if (!isUuid(uuid)) return;
    const directory = this.#passingDirectory(uuid);
    if (existsSync(directory)) await rm(directory, { recursive: true, force: true });
  }

  /** Whose files are kept for a while and have not changed since a time, in milliseconds since the epoch. */
  passingBefore(time: number): string[] {
    const directory = path.join(this.#directory, 'passing');
    if (!existsSync(directory)) return [];
    return readdirSync(directory).filter((uuid) => {
      const found = statSync(path.join(directory, uuid), { throwIfNoEntry: false });
      return isUuid(uuid) && found !== undefined && found.mtimeMs < time;
    });
  }

  #passingDirectory(uuid: string): string {
    if (!isUuid(uuid)) throw new WherryError('internal', `"${uuid}" is no uuid`);
    return path.join(this.#directory, 'passing', uuid);
  }

  #temporaryFile(): string {
    const directory = path.join(this.#directory, 'temporary');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return path.join(directory, randomUUID());
  }

  async #enter(temporary: string, sha256: string): Promise<void> {
    const target = this.#objectFile(sha256);
    await synchronise(temporary, 'r+');
    const created = mkdirSync(path.dirname(target), { recursive: true, mode: 0o700 });
    renameSync(temporary, target);
    // Makes the rename durable.
    await synchronise(path.dirname(target), 'r');
    if (created !== undefined) await synchronise(path.dirname(path.dirname(target)), 'r');
  }

  #has(sha256: string): boolean {
    return existsSync(this.#objectFile(sha256));
  }

  #objectFile(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new WherryError('internal', `"${sha256}" is no SHA-256`);
    return path.join(this.#directory, 'objects', sha256.slice(0, 2), sha256.slice(2));
  }
}

function isUuid(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

/** Bytes up to which a file is read in one go, and up to which this is done at once. */
const smallFile = 4 * 2 ** 20;
const tinyFile = 64 * 2 ** 10;

async function hashOf(file: string): Promise<StoredContent> {
  const hash = createHash('sha256');
  const { size } = statSync(file);
  if (size <= smallFile) {
    const content = size <= tinyFile ? readFileSync(file) : await readFile(file);
    return { sha256: hash.update(content).digest('hex'), size: content.byteLength };
  }
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  return { sha256: hash.digest('hex'), size: statSync(file).size };
}

const waitForDisk = promisify(fsync);

/** Waits until what was written to a file, or renamed in a folder, is on the disk. */
async function synchronise(file: string, flags: string): Promise<void> {
  const descriptor = openSync(file, flags);
  try {
    await waitForDisk(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
