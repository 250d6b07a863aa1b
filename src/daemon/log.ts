import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';

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

const noSpace: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/** A log of JSON lines that never takes more room than its files are allowed. */
export class RotatingLog implements Disposable {
  readonly #file: string;
  readonly #bytes: number;
  readonly #generations: number;
  readonly #echo: ((line: string) => void) | undefined;
  #descriptor: number;
  #size: number;
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
    const line = `${JSON.stringify({ at: new Date().toISOString(), ...entry, message: short })}\n`;
    this.#echo?.(line);
    this.#append(line);
  };

  #append(line: string): void {
    const lost =
      this.#lost === 0 ? '' : `${JSON.stringify({ at: new Date().toISOString(), ...lostEntry(this.#lost) })}\n`;
    const size = Buffer.byteLength(lost + line);
    try {
      if (this.#size > 0 && this.#size + size > this.#bytes) this.#rotate();
      writeSync(this.#descriptor, lost + line);
      this.#size += size;
      this.#lost = 0;
    } catch (error) {
      // A full disk must not end the daemon; the next line that can be written tells of those that could not.
      if (!noSpace.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      this.#lost += 1;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #rotate(): void {
    closeSync(this.#descriptor);
    for (let generation = this.#generations - 1; generation >= 0; generation--) {
      const from = generation === 0 ? this.#file : `${this.#file}.${generation}`;
      renameIfThere(from, `${this.#file}.${generation + 1}`);
    }
    this.#descriptor = openSync(this.#file, 'a', 0o600);
    this.#size = fstatSync(this.#descriptor).size;
  }
}

function lostEntry(count: number): LogEntry {
  return { level: 'error', message: `${count} lines before this one were lost: no space was left` };
}

function renameIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
