import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { messageOf } from '../errors.js';

/** One line of the daemon's log. */
export interface LogEntry {
  readonly level: 'info' | 'warning' | 'error';
  readonly message: string;
  /** Number of the worker it is about. */
  readonly worker?: number;
  readonly pid?: number;
}

export type Log = (entry: LogEntry) => void;

export interface LogOptions {
  /** A file is put aside before it grows beyond this many bytes. */
  readonly bytes?: number;
  /** How many files that were put aside are kept: `daemon.log.1` is the newest. */
  readonly generations?: number;
  /** Takes every line too. */
  readonly echo?: (line: string) => void;
}

/** The longest message that is written; a program can print a whole file as one line. */
const longestMessage = 8_192;

/** What JSON leaves as it is and a terminal obeys or shows in another order: delete, C1, direction and line marks. */
const treacherous = /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * A log of JSON lines that never takes more room than its files are allowed. A line that cannot be written, because the
 * disk is full or the file system has gone, is counted, and nothing fails by it.
 */
export class RotatingLog implements Disposable {
  readonly #file: string;
  readonly #bytes: number;
  readonly #generations: number;
  readonly #echo: ((line: string) => void) | undefined;
  #descriptor: number;
  #size: number;
  /** Was the last line written only in part? */
  #torn = false;
  #lostBy = '';
  /** Lines that could not be written since the last that could. */
  #lost = 0;

  constructor(file: string, { bytes = 5_000_000, generations = 3, echo }: LogOptions = {}) {
    this.#file = file;
    this.#bytes = bytes;
    this.#generations = generations;
    this.#echo = echo;
    this.#descriptor = openSync(file, 'a', 0o600);
    this.#size = fstatSync(this.#descriptor).size;
  }

  /** Writes one line with the present time. */
  readonly write: Log = ({ message, ...entry }) => {
    const short = message.length > longestMessage ? `${message.slice(0, longestMessage)}…` : message;
    const line = lineOf({ ...entry, message: short });
    this.#echo?.(line);
    this.#append(line);
  };

  #append(line: string): void {
    const lost = this.#lost === 0 ? '' : lineOf(lostEntry(this.#lost, this.#lostBy));
    const bytes = Buffer.from(`${this.#torn ? '\n' : ''}${lost}${line}`);
    try {
      if (this.#size > 0 && this.#size + bytes.length > this.#bytes) this.#rotate();
      const written = writeSync(this.#descriptor, bytes);
      this.#size += written;
      this.#torn = written < bytes.length;
      if (this.#torn) throw new Error('no space was left');
      this.#lost = 0;
    } catch (error) {
      // That must not end the daemon; the next line that can be written tells of those that could not.
      this.#lost += 1;
      this.#lostBy = messageOf(error);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #rotate(): void {
    // First of all there must be a new file: on a full disk none can be made, and the old ones stay as they are.
    const next = `${this.#file}.next`;
    const descriptor = openSync(next, 'a', 0o600);
    for (let generation = this.#generations - 1; generation >= 0; generation--) {
      const from = generation === 0 ? this.#file : `${this.#file}.${generation}`;
      renameIfThere(from, `${this.#file}.${generation + 1}`);
    }
    renameSync(next, this.#file);
    closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    this.#size = fstatSync(descriptor).size;
    this.#torn = false;
  }
}

function lineOf(entry: LogEntry): string {
  const text = JSON.stringify({ at: new Date().toISOString(), ...entry });
  return `${text.replace(treacherous, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`)}\n`;
}

function lostEntry(count: number, reason: string): LogEntry {
  return { level: 'error', message: `${count} lines before this one were lost: ${reason}` };
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
