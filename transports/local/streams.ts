import type { Readable, Writable } from 'node:stream';
import type { ExecOptions } from '../../src/plugin.js';

/** Keeps what a command prints, within a bound, or hands it on as it comes. */
export class Output {
  readonly #most: number;
  readonly #onChunk: ((chunk: Buffer) => void | Promise<void>) | undefined;
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor(most: number, onChunk?: (chunk: Buffer) => void | Promise<void>) {
    this.#most = most;
    this.#onChunk = onChunk;
  }

  /** Reads to the end, or until it is `'too-large'`. Throws what the taker of chunks throws. */
  async take(stream: Readable): Promise<'complete' | 'too-large'> {
    try {
      for await (const chunk of stream) {
        if (this.#onChunk) await this.#onChunk(chunk as Buffer);
        else if (!this.#keep(chunk as Buffer)) return 'too-large';
      }
    } catch (error) {
      // A stream that was closed because the command is being ended is no failure of its own.
      if (!isClosed(error)) throw error;
    }
    return 'complete';
  }

  /** What was kept, or its first bytes. */
  text(most: number = this.#size): string {
    return Buffer.concat(this.#chunks).subarray(0, most).toString();
  }

  #keep(chunk: Buffer): boolean {
    const kept = chunk.subarray(0, this.#most - this.#size);
    this.#chunks.push(kept);
    this.#size += kept.length;
    return kept.length === chunk.length;
  }
}

/** Writes all input and the end of it. A command that reads no further is no error; input that fails is. */
export async function feed(stdin: Writable, input: ExecOptions['stdin']): Promise<void> {
  let closed = false;
  const onEnd = () => {
    closed = true;
  };
  // Without a listener a broken pipe would end the program.
  stdin.on('error', onEnd);
  stdin.once('close', onEnd);
  if (input === undefined || typeof input === 'string' || input instanceof Uint8Array) {
    stdin.end(input ?? '');
    return;
  }
  try {
    for await (const chunk of input) {
      if (closed) return;
      if (!stdin.write(chunk) && !closed) await room(stdin);
    }
  } catch (error) {
    // What ended before its input did has no more use for it.
    if (closed || stdin.destroyed) return;
    throw error;
  }
  stdin.end();
}

function room(stdin: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stdin.off('drain', done);
      stdin.off('close', done);
      resolve();
    };
    stdin.once('drain', done);
    stdin.once('close', done);
  });
}

function isClosed(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ERR_STREAM_PREMATURE_CLOSE';
}
