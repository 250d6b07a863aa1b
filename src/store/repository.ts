import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, chmod, copyFile, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
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
 */
export class Repository {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async put(content: Uint8Array): Promise<StoredContent> {
    const sha256 = createHash('sha256').update(content).digest('hex');
    if (!(await this.#has(sha256))) {
      const temporary = await this.#temporaryFile();
      try {
        const handle = await open(temporary, 'wx', 0o600);
        try {
          await handle.writeFile(content);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await this.#enter(temporary, sha256);
      } finally {
        await rm(temporary, { force: true });
      }
    }
    return { sha256, size: content.byteLength };
  }

  /** Copies a local file in. */
  async putFile(file: string): Promise<StoredContent> {
    const temporary = await this.#temporaryFile();
    try {
      await copyFile(file, temporary);
      return await this.adopt(temporary);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  /** Moves a file of a temporary directory (see `temporaryDirectory`) in; the file is gone afterwards. */
  async adopt(file: string): Promise<StoredContent> {
    const content = await hashOf(file);
    if (await this.#has(content.sha256)) {
      await rm(file);
      return content;
    }
    // First of all: a file that may only be read could not be opened.
    await chmod(file, 0o600);
    const handle = await open(file, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    await this.#enter(file, content.sha256);
    return content;
  }

  /** The local file that holds this content; throws `not-found` when it is missing. */
  async locate(sha256: string): Promise<string> {
    if (!(await this.#has(sha256))) {
      throw new WherryError('not-found', `the repository has no content ${sha256}`, {
        hint: 'the file repository beside the store is incomplete; restore it from a backup',
      });
    }
    return this.#objectFile(sha256);
  }

  async read(sha256: string): Promise<Buffer> {
    return readFile(await this.locate(sha256));
  }

  /** A new empty directory on the repository's file system; removed when it is disposed of. */
  async temporaryDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
    const directory = await this.#temporaryFile();
    await mkdir(directory, { mode: 0o700 });
    return {
      path: directory,
      [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
    };
  }

  async #temporaryFile(): Promise<string> {
    const directory = path.join(this.#directory, 'temporary');
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return path.join(directory, randomUUID());
  }

  async #enter(temporary: string, sha256: string): Promise<void> {
    const target = this.#objectFile(sha256);
    const created = await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
    await rename(temporary, target);
    await syncDirectory(path.dirname(target));
    if (created !== undefined) await syncDirectory(path.dirname(path.dirname(target)));
  }

  async #has(sha256: string): Promise<boolean> {
    try {
      await access(this.#objectFile(sha256));
      return true;
    } catch {
      return false;
    }
  }

  #objectFile(sha256: string): string {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new WherryError('internal', `"${sha256}" is no SHA-256`);
    return path.join(this.#directory, 'objects', sha256.slice(0, 2), sha256.slice(2));
  }
}

/** Bytes up to which a file is read at once: a stream for each of many small ones keeps the memory's keeper busy. */
const smallFile = 4 * 2 ** 20;

async function hashOf(file: string): Promise<StoredContent> {
  const hash = createHash('sha256');
  if ((await stat(file)).size <= smallFile) {
    const content = await readFile(file);
    return { sha256: hash.update(content).digest('hex'), size: content.byteLength };
  }
  for await (const chunk of createReadStream(file, { highWaterMark: 2 ** 20 })) hash.update(chunk);
  return { sha256: hash.digest('hex'), size: (await stat(file)).size };
}

/** Makes a rename durable. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
