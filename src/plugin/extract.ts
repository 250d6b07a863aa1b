import { constants } from 'node:fs';
import { copyFile, mkdir, open, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type Header, extract as tarExtract } from 'tar-stream';
import { WherryError } from '../errors.js';
import { localFailure } from './failure.js';
import type { RemoteEntry } from './transport.js';
import { WorkWindow } from './window.js';

/** Files up to this size are gathered in memory and written in the background. */
const smallFile = 2 ** 20;
const writeBehind = { items: 16, bytes: 4 * 2 ** 20 };
/** What tar may add to a file: headers, long names, padding, padding of whole archives. */
const overheadPerFile = 32_768;

/**
 * Takes a tar stream and writes the files it expects below a local directory. The stream is not trusted: an entry that
 * was not asked for, comes twice, is no file or has another size than expected ends it with an error, and so does a
 * stream that goes on without end. Nothing is written outside the directory and no link is made.
 */
export class Extractor {
  readonly #expected: Map<string, RemoteEntry>;
  readonly #received = new Set<string>();
  readonly #folder: SafeFolder;
  readonly #onBytes: (bytes: number) => void;
  readonly #extract = tarExtract();
  readonly #writes = new WorkWindow(writeBehind);
  readonly #maxStream: number;
  #streamed = 0;
  #failure: unknown;

  constructor(files: readonly RemoteEntry[], localDirectory: string, onBytes: (bytes: number) => void) {
    this.#expected = new Map(files.map((file) => [file.path, file]));
    this.#maxStream = files.reduce((sum, file) => sum + file.size + overheadPerFile, overheadPerFile);
    this.#folder = new SafeFolder(localDirectory);
    this.#onBytes = onBytes;
    this.#extract.on('entry', (header, content, next) => {
      this.#take(header, content as AsyncIterable<Buffer>).then(
        () => {
          // The next entry comes only after the end of this one has been read, even where there is nothing in it.
          content.resume();
          next();
        },
        (error: unknown) => this.#extract.destroy(asError(error)),
      );
    });
    this.#extract.on('error', (error) => {
      this.#failure ??= error instanceof WherryError ? error : malformed(error);
    });
  }

  /** Takes the next bytes; returns when there is room for more. Throws what is wrong with the stream. */
  async write(chunk: Buffer): Promise<void> {
    this.#streamed += chunk.length;
    if (this.#streamed > this.#maxStream) this.#extract.destroy(refused('more bytes than were asked for'));
    else if (!this.#extract.write(chunk)) await this.#event('drain');
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Returns once all files are written. Throws `transfer-incomplete` when one of them did not come. */
  async end(): Promise<void> {
    this.#extract.end(null);
    await this.#event('finish');
    if (this.#failure !== undefined) throw this.#failure;
    await this.#writes.end();
    const missing = [...this.#expected.keys()].find((path) => !this.#received.has(path));
    if (missing !== undefined) throw incomplete(missing, 'did not come');
  }

  /** Gives up; returns when nothing is being written any more. */
  async abandon(): Promise<void> {
    this.#extract.destroy(null);
    // What failed is known already, or no longer matters.
    await this.#writes.end().catch(() => undefined);
  }

  async #event(name: 'drain' | 'finish'): Promise<void> {
    if (this.#extract.destroyed) return;
    const { promise, resolve } = deferred();
    for (const event of [name, 'close']) this.#extract.once(event, resolve);
    await promise;
    for (const event of [name, 'close']) this.#extract.off(event, resolve);
  }

  async #take(header: Header, content: AsyncIterable<Buffer>): Promise<void> {
    const path = header.name.replace(/^\.\//, '');
    const expected = this.#expected.get(path);
    if (expected === undefined) throw refused(`${JSON.stringify(path.slice(0, 200))}, which was not asked for`);
    if (this.#received.has(path)) throw refused(`${JSON.stringify(path)} twice`);
    if (header.type === 'link') {
      await this.#copy(path, header.linkname ?? '', expected);
    } else if (header.type === 'file' || header.type === 'contiguous-file') {
      if (header.size !== expected.size) throw incomplete(path, 'has changed its size');
      await (expected.size <= smallFile ? this.#gather(path, expected.size, content) : this.#stream(path, content));
    } else {
      throw refused(`${JSON.stringify(path)} as a ${header.type ?? 'thing'} and not as a file`);
    }
    this.#received.add(path);
  }

  /** A second name of a file arrives as a "link" to the first; it becomes a file of its own. */
  async #copy(path: string, linkname: string, expected: RemoteEntry): Promise<void> {
    const original = linkname.replace(/^\.\//, '');
    if (!this.#received.has(original)) throw refused(`${JSON.stringify(path)} as a link to what has not come`);
    if (this.#expected.get(original)?.size !== expected.size) throw incomplete(path, 'has changed its size');
    await this.#writes.end();
    const [from, to] = [await this.#folder.place(original), await this.#folder.place(path)];
    await guard(path, () => copyFile(from, to, constants.COPYFILE_EXCL));
    this.#onBytes(expected.size);
  }

  async #gather(path: string, size: number, content: AsyncIterable<Buffer>): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of content) {
      chunks.push(chunk as Buffer);
      this.#onBytes((chunk as Buffer).length);
    }
    const place = await this.#folder.place(path);
    await this.#writes.start(size, () => writeNew(path, place, chunks));
  }

  async #stream(path: string, content: AsyncIterable<Buffer>): Promise<void> {
    await writeNew(path, await this.#folder.place(path), content, this.#onBytes);
  }
}

/** Makes directories below one directory, and none that a link leads out of it. */
export class SafeFolder {
  readonly #root: string;
  readonly #made = new Map<string, Promise<void>>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The local path for a checked relative path; its parent directory exists then. */
  async place(path: string): Promise<string> {
    const parent = dirname(path);
    let making = this.#made.get(parent);
    if (making === undefined) {
      making = this.#make(parent, path);
      this.#made.set(parent, making);
    }
    await making;
    return join(this.#root, path);
  }

  async #make(parent: string, path: string): Promise<void> {
    const directory = join(this.#root, parent);
    await guard(path, async () => {
      if (parent !== '.') await mkdir(directory, { recursive: true });
      if ((await realpath(directory)) !== join(await realpath(this.#root), parent)) {
        throw new WherryError('unsafe-path', `a link stands on the way to ${JSON.stringify(path)} in the local folder`);
      }
    });
  }
}

async function writeNew(
  path: string,
  place: string,
  chunks: Iterable<Buffer> | AsyncIterable<Buffer>,
  onBytes?: (bytes: number) => void,
): Promise<void> {
  await guard(path, async () => {
    const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
    const file = await open(place, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o644);
    try {
      for await (const chunk of chunks) {
        await file.writeFile(chunk);
        onBytes?.(chunk.length);
      }
    } finally {
      await file.close();
    }
  });
}

async function guard(path: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    throw localFailure(error, `write ${JSON.stringify(path)} into the local folder`);
  }
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function refused(what: string): WherryError {
  return new WherryError('unsafe-path', `the computer sent ${what}`, {
    hint: 'nothing of it was kept; look at what stands in the directory on the computer',
  });
}

function malformed(cause: Error): WherryError {
  return new WherryError('transfer-incomplete', `the stream of files is damaged: ${cause.message}`, {
    transient: true,
    hint: 'it is fetched again',
    cause,
  });
}

/** Also for files that `find` saw and that are gone or changed now. */
export function incomplete(path: string, what: string): WherryError {
  return new WherryError('transfer-incomplete', `the file ${JSON.stringify(path)} ${what}`, {
    transient: true,
    hint: 'something still writes in that directory; it is listed and fetched again',
  });
}
