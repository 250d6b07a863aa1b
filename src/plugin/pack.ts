import { close, createReadStream, open, read } from 'node:fs';
import { Readable } from 'node:stream';
import { WherryError } from '../errors.js';
import { localFailure } from './failure.js';
import { tarEnd, tarHeader, tarPadding } from './tar.js';
import type { TreeEntry } from './transport.js';
import { loadAhead } from './window.js';

type FileEntry = Omit<Extract<TreeEntry, { type: 'file' }>, 'sha256'>;
/** What goes into an archive; directories arise from the paths below them. */
export type PackedEntry = FileEntry | Extract<TreeEntry, { type: 'symlink' }>;

/** Files up to this size are read at once, ahead of their turn; larger ones are streamed. */
const smallFile = 2 ** 20;
const readAhead = { items: 64, bytes: 4 * 2 ** 20 };
/** One write per file would cost a system call or packet each. */
const pieceSize = 256 * 2 ** 10;

export interface PackListener {
  /** Content of an entry goes out. Throwing ends the stream. */
  onBytes(entry: PackedEntry, bytes: number): void;
  /** Everything has gone out. */
  onEnd(): void;
  /** The stream ends with this error; it does not hear of the reader's own wish to end it. */
  onFailure(error: unknown): void;
}

/**
 * A tar stream of files and links, at most a few megabytes ahead of its reader. It fails with `bad-input` when a local
 * file no longer has the size that its entry says.
 */
export function packTree(entries: readonly PackedEntry[], listener: PackListener): Readable {
  return Readable.from(shield(pack(entries, listener)), { objectMode: false, highWaterMark: 2 * pieceSize });
}

async function* pack(entries: readonly PackedEntry[], listener: PackListener): AsyncGenerator<Buffer> {
  const piece = new Piece();
  try {
    for await (const [entry, content] of loadAhead(entries, weigh, load, readAhead)) {
      piece.add(headerOf(entry));
      if (entry.type === 'symlink') continue;
      if (content !== null) {
        listener.onBytes(entry, content.length);
        piece.add(content);
      } else {
        for await (const chunk of stream(entry)) {
          listener.onBytes(entry, chunk.length);
          piece.add(chunk);
          if (piece.isFull) yield piece.take();
        }
      }
      piece.add(tarPadding(entry.size));
      if (piece.isFull) yield piece.take();
    }
    piece.add(tarEnd(piece.total));
    yield piece.take();
    listener.onEnd();
  } catch (error) {
    listener.onFailure(error);
    throw error;
  }
}

/** A stream that is destroyed throws into what it reads from; here that ends the packing without being its failure. */
async function* shield(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const piece of pieces) yield piece;
}

/** Gathers small chunks into one that is worth a system call. */
class Piece {
  #chunks: Buffer[] = [];
  #size = 0;
  total = 0;

  get isFull(): boolean {
    return this.#size >= pieceSize;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    this.total += chunk.length;
  }

  take(): Buffer {
    const [first = Buffer.alloc(0)] = this.#chunks;
    const bytes = this.#chunks.length === 1 ? first : Buffer.concat(this.#chunks, this.#size);
    this.#chunks = [];
    this.#size = 0;
    return bytes;
  }
}

function weigh(entry: PackedEntry): number {
  return isSmallFile(entry) ? entry.size : 0;
}

function load(entry: PackedEntry): Promise<Buffer | null> {
  return isSmallFile(entry) ? readSmall(entry) : Promise.resolve(null);
}

function headerOf(entry: PackedEntry): Buffer {
  const name = entry.path;
  if (entry.type === 'symlink') {
    return tarHeader({ type: 'symlink', name, size: 0, mode: 0o777, target: entry.target });
  }
  return tarHeader({ type: 'file', name, size: entry.size, mode: entry.mode ?? 0o644 });
}

function isSmallFile(entry: PackedEntry): entry is FileEntry {
  return entry.type === 'file' && (isInMemory(entry.content) || entry.size <= smallFile);
}

function isInMemory(content: FileEntry['content']): content is Uint8Array {
  return content instanceof Uint8Array;
}

async function readSmall(entry: FileEntry): Promise<Buffer> {
  const { content, size } = entry;
  if (isInMemory(content)) return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  // One byte of room more than expected shows a file that has grown.
  const bytes = await readStart(content.file, size + 1).catch((error: unknown) => {
    throw localFailure(error, `read ${content.file}`);
  });
  if (bytes.length !== size) throw changed(entry);
  return bytes;
}

/** Callbacks, since promises of file handles take three times as long, which thousands of small files feel. */
function readStart(file: string, length: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    open(file, 'r', (openError, descriptor) => {
      if (openError) {
        reject(openError);
        return;
      }
      const buffer = Buffer.allocUnsafe(length);
      const finish = (error: Error | null, filled: number) => {
        close(descriptor, (closeError) => {
          if (error ?? closeError) reject(error ?? closeError);
          else resolve(buffer.subarray(0, filled));
        });
      };
      const fill = (filled: number) => {
        read(descriptor, buffer, filled, length - filled, null, (error, count) => {
          if (error || count === 0 || filled + count === length) finish(error, filled + count);
          // A full file leaves the one spare byte: that nothing follows is worth no second call.
          else if (filled + count === length - 1) finish(null, filled + count);
          else fill(filled + count);
        });
      };
      fill(0);
    });
  });
}

async function* stream(entry: FileEntry): AsyncGenerator<Buffer> {
  if (isInMemory(entry.content)) return;
  const { file } = entry.content;
  let size = 0;
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: pieceSize })) {
      size += (chunk as Buffer).length;
      if (size > entry.size) break;
      yield chunk as Buffer;
    }
  } catch (error) {
    throw localFailure(error, `read ${file}`);
  }
  if (size !== entry.size) throw changed(entry);
}

function changed(entry: FileEntry): WherryError {
  return new WherryError('bad-input', `the local file of ${JSON.stringify(entry.path)} has changed its size`, {
    hint: 'submit the calculation again with the files as they are now',
  });
}
