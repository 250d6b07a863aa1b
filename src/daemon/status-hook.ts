import { type ChildProcess, spawn } from 'node:child_process';
import { messageOf } from '../errors.js';
import { readLines } from './line-reader.js';
import type { Log } from './log.js';
import type { DaemonEvent, HookFailure, HookInput } from './messages.js';

/** Milliseconds that a hook may take before it is killed. */
const hookLimit = 30_000;

export interface StatusHookOptions {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly log: Log;
  /** How everything is at the moment. */
  readonly describe: () => Omit<HookInput, 'event' | 'at' | 'passedOver'>;
  readonly limit?: number;
}

interface Waiting {
  readonly event: DaemonEvent;
  readonly at: string;
  readonly passedOver: number;
}

/**
 * Runs a command of the user when something happens, one at a time. Nobody waits for it: of what happens while it runs
 * only the last is told, for that is how things are.
 */
export class StatusHook {
  readonly #options: StatusHookOptions;
  #child: ChildProcess | undefined;
  #waiting: Waiting | undefined;
  #failure: HookFailure | null = null;
  #idle: (() => void) | undefined;
  #stopping = false;

  constructor(options: StatusHookOptions) {
    this.#options = options;
  }

  /** How the last one failed; null when it went well. */
  get failure(): HookFailure | null {
    return this.#failure;
  }

  /** Tells the hook; after the word that the daemon stops there is no other. */
  readonly tell = (event: DaemonEvent): void => {
    if (this.#stopping) return;
    this.#stopping = event.type === 'daemon-stopping';
    const passedOver = this.#waiting === undefined ? 0 : this.#waiting.passedOver + 1;
    this.#waiting = { event, at: new Date().toISOString(), passedOver };
    this.#next();
  };

  /** Waits until all is told; what takes longer than so many milliseconds is killed. */
  async close(patience: number): Promise<void> {
    // The last word is told even when the hook before it hangs.
    const timers = [
      setTimeout(() => this.#waiting !== undefined && kill(this.#child), patience / 2),
      setTimeout(() => {
        this.#waiting = undefined;
        kill(this.#child);
      }, patience),
    ];
    if (this.#child !== undefined) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    for (const timer of timers) clearTimeout(timer);
  }

  #next(): void {
    const next = this.#waiting;
    if (this.#child !== undefined) return;
    if (next === undefined) {
      this.#idle?.();
      return;
    }
    this.#waiting = undefined;
    try {
      this.#run(next);
    } catch (error) {
      this.#failed(next.event, messageOf(error));
    }
  }

  #run({ event, at, passedOver }: Waiting): void {
    const { command, describe, limit = hookLimit } = this.#options;
    const [program = '', ...words] = command;
    const input: HookInput = { event, at, passedOver, ...describe() };
    // A group of its own, so that what it starts ends with it.
    const child = spawn(program, words, { detached: true, stdio: ['pipe', 'ignore', 'pipe'] });
    this.#child = child;
    let lastWords = '';
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      kill(child);
    }, limit);
    const ended = (reason: string | undefined) => {
      if (this.#child !== child) return;
      clearTimeout(timer);
      child.stderr.destroy();
      this.#child = undefined;
      if (reason === undefined) this.#failure = null;
      else this.#failed(event, late ? `it took longer than ${limit / 1_000} s and was killed` : reason);
      this.#next();
    };
    readLines(child.stderr, (line) => {
      lastWords = `: ${line}`;
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(`${JSON.stringify(input)}\n`);
    child.once('error', (error) => ended(error.message));
    child.once('exit', (exitCode, signal) => {
      const end = signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
      // Its last words may still be on their way.
      setImmediate(() => ended(exitCode === 0 ? undefined : `${end}${lastWords}`));
    });
  }

  #failed(event: DaemonEvent, reason: string): void {
    this.#failure = { at: new Date().toISOString(), event: event.type, reason };
    this.#options.log({ level: 'warning', message: `the hook for ${event.type} failed: ${reason}` });
  }
}

function kill(child: ChildProcess | undefined): void {
  if (child?.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
