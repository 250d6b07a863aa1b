import type { Socket } from 'node:net';
import { nextTick } from 'node:process';
import type { z } from 'zod';
import { messageOf, WherryError } from '../../errors.js';
import { noBody } from './bodies.js';
import { encodeFrame, FrameReader } from './frames.js';

/**
 * Bytes that may wait for one who does not read. Beyond them the connection is given up: memory has a bound, and what
 * one does not read must not hold up the others.
 */
const mostUnread = 64 * 1_048_576;

/** Pings that the other side may let pass in silence. */
const patientTicks = 4;

/** Milliseconds that somebody who closes waits for the other side. */
const partingTime = 100;

/** Milliseconds that the last words have to be taken. */
const lastWordsTime = 1_000;

const ping = encodeFrame({ type: 'ping' }, noBody);

export interface ConnectionOptions<Incoming> {
  readonly socket: Socket;
  readonly schema: z.ZodType<Incoming>;
  /** Milliseconds between two pings. */
  readonly heartbeat: number;
  hear(message: Incoming, body: Buffer): void;
  /** Called once. @param error undefined when the other side ended it in good order */
  ended(error: WherryError | undefined): void;
}

/** One end of a socket between the hub and a client: messages, checked as they come, and a bound on what waits. */
export class Connection<Incoming, Outgoing extends object> {
  readonly #options: ConnectionOptions<Incoming>;
  readonly #socket: Socket;
  readonly #reader = new FrameReader();
  readonly #heartbeat: NodeJS.Timeout;
  #corked = false;
  #silentTicks = 0;
  #over = false;
  #error: WherryError | undefined;

  constructor(options: ConnectionOptions<Incoming>) {
    this.#options = options;
    this.#socket = options.socket;
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk));
    this.#socket.on('error', (error) => this.cut(lost(messageOf(error))));
    this.#socket.once('end', () => this.cut());
    this.#socket.once('close', () => this.#end());
    this.#heartbeat = setInterval(() => this.#tick(), options.heartbeat).unref();
  }

  get over(): boolean {
    return this.#over;
  }

  /** Bytes that the other side has not taken yet. */
  get unread(): number {
    return this.#socket.writableLength;
  }

  /** Calls back once, when the other side has taken everything. */
  onceTaken(listener: () => void): void {
    this.#socket.once('drain', listener);
  }

  /** Errors: `message-refused` for what is too large. What is said after the end is lost. */
  send(message: Outgoing, body: Uint8Array = noBody): void {
    this.sendFrame(encodeFrame(message, body));
  }

  /** Sends what `encodeFrame` made of a message, for those who say the same to many. */
  sendFrame(frame: Buffer): void {
    if (this.#over) return;
    if (this.unread + frame.length > mostUnread) {
      this.cut(lost('the other side does not read what it is told'));
      return;
    }
    // What is said in one turn goes out together.
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      nextTick(() => this.flush());
    }
    this.#socket.write(frame);
  }

  /** Ends at once; what the other side has no room for is lost. */
  cut(error?: WherryError): void {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    clearInterval(this.#heartbeat);
    this.flush();
    this.#socket.destroy();
  }

  /** Ends after what has been said has gone out, as far as the other side takes it soon. */
  finish(): void {
    if (this.#over) return;
    this.flush();
    if (this.unread === 0) {
      this.cut();
      return;
    }
    this.#over = true;
    clearInterval(this.#heartbeat);
    this.#socket.end();
    const timer = setTimeout(() => this.#socket.destroy(), lastWordsTime);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  /** Says a last word, and waits until the other side has heard it and ended the connection, but not for long. */
  async part(word: Outgoing): Promise<void> {
    this.send(word);
    this.flush();
    if (!this.#over) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, partingTime);
        this.#socket.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    this.cut();
  }

  /** What has been said goes out now, and is heard even if this program dies the next moment. */
  flush(): void {
    if (!this.#corked) return;
    this.#corked = false;
    this.#socket.uncork();
  }

  #read(chunk: Buffer): void {
    this.#silentTicks = 0;
    try {
      for (const { header, body } of this.#reader.read(chunk)) {
        if (this.#over) return;
        this.#options.hear(this.#parse(header), body);
      }
    } catch (error) {
      this.cut(error instanceof WherryError ? error : new WherryError('internal', messageOf(error), { cause: error }));
    }
  }

  #parse(header: Buffer): Incoming {
    let value: unknown;
    try {
      value = JSON.parse(header.toString('utf8'));
    } catch (error) {
      throw new WherryError('message-refused', 'a message came that is no JSON', { cause: error });
    }
    const parsed = this.#options.schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const where = issue?.path.join('.');
    throw new WherryError('message-refused', `a message came that we do not know: ${where} ${issue?.message}`);
  }

  /** Counted and not timed: who was stopped for an hour himself has heard nothing either. */
  #tick(): void {
    this.#silentTicks += 1;
    if (this.#silentTicks > patientTicks) this.cut(lost('nothing was heard from the other side for a while'));
    else this.sendFrame(ping);
  }

  #end(): void {
    this.#over = true;
    clearInterval(this.#heartbeat);
    this.#options.ended(this.#error);
  }
}

function lost(reason: string): WherryError {
  return new WherryError('broker-lost', `a connection of the broker broke: ${reason}`, { transient: true });
}
