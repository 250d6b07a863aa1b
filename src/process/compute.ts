import { availableParallelism } from 'node:os';
import { deserialize } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { WherryError } from '../errors.js';
import { type ThreadAnswer, type ThreadData, threadProgram } from './compute-thread.js';

/** What a call may take. */
export interface ComputeLimits {
  /** Milliseconds from its start; the time that it waited for its turn does not count. */
  readonly timeout: number;
  /** Bytes of JavaScript's own memory; default 512 MiB. Buffers are outside of it. */
  readonly memory?: number;
  /** Bytes of the result, as it is handed over; default 16 MiB. */
  readonly result?: number;
  readonly signal?: AbortSignal;
}

const defaults = { memory: 512 * 2 ** 20, result: 16 * 2 ** 20 } as const;
/** Most calls that wait for their turn; whoever comes then is asked to come again. */
const longestQueue = 1_000;
/** Milliseconds that closing waits for threads that are being ended. */
const endPatience = 2_000;

interface Call {
  readonly data: ThreadData;
  readonly limits: ComputeLimits;
  readonly settle: (outcome: () => unknown) => void;
}

/**
 * Runs functions of modules off the main loop, so many at once, in the order in which they were asked for. Every call
 * has a thread of its own: whatever a module leaves behind goes with it, a module that was changed is read anew, and
 * the end of a thread is the way to stop a loop that does not end.
 */
export class ComputePool implements AsyncDisposable {
  readonly #threads: number;
  readonly #longestQueue: number;
  readonly #queue: Call[] = [];
  readonly #running = new Map<Worker, Promise<void>>();
  /** Ends a call that runs, with its thread. */
  readonly #finish = new Map<Call, Call['settle']>();
  #closed = false;

  constructor(options: { readonly threads?: number; readonly queue?: number } = {}) {
    this.#threads = options.threads ?? Math.min(4, Math.max(2, availableParallelism() - 1));
    this.#longestQueue = options.queue ?? longestQueue;
  }

  /** Threads that live at present. */
  get size(): number {
    return this.#running.size;
  }

  /**
   * Calls a function of a module with an input and gives what it returns; both are copied (structured clone).
   * Errors: `computation-failed` when the module cannot be loaded, the function throws, ends without a result, needs
   * too much memory or returns too much; `timed-out`; `aborted`; `back-pressure` when too many wait already.
   * @param moduleUrl a `file:` URL
   * @param exportName `default`, or the name of what the module exports
   */
  async compute(moduleUrl: string, exportName: string, input: unknown, limits: ComputeLimits): Promise<unknown> {
    const { signal } = limits;
    if (this.#closed || signal?.aborted) throw new WherryError('aborted', 'the computation was stopped on request');
    if (this.#queue.length >= this.#longestQueue) {
      throw new WherryError('back-pressure', `${this.#queue.length} computations wait already`, { transient: true });
    }
    const data = { moduleUrl, exportName, input, mostBytes: limits.result ?? defaults.result };
    return new Promise((resolve, reject) => {
      const call: Call = {
        data,
        limits,
        settle: (outcome) => {
          signal?.removeEventListener('abort', stop);
          this.#finish.delete(call);
          try {
            resolve(outcome());
          } catch (error) {
            reject(error as Error);
          }
        },
      };
      const stop = () => this.#stop(call);
      signal?.addEventListener('abort', stop, { once: true });
      this.#queue.push(call);
      this.#startNext();
    });
  }

  /** Stops everything; returns when no thread is left, except one that not even the system can interrupt. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const call of [...this.#queue, ...this.#finish.keys()]) this.#stop(call);
    const ended = Promise.all(this.#running.values());
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, endPatience);
    });
    await Promise.race([ended, patience]);
    clearTimeout(timer);
  }

  #stop(call: Call): void {
    const place = this.#queue.indexOf(call);
    if (place !== -1) this.#queue.splice(place, 1);
    const finish = this.#finish.get(call) ?? call.settle;
    finish(() => {
      throw new WherryError('aborted', 'the computation was stopped on request');
    });
  }

  #startNext(): void {
    while (this.#running.size < this.#threads) {
      const call = this.#queue.shift();
      if (call === undefined) return;
      try {
        this.#start(call);
      } catch (error) {
        // The input cannot be copied, or the system has no room for a thread.
        call.settle(() => {
          throw failed(call, `could not be started: ${(error as Error).message}`, error);
        });
      }
    }
  }

  #start(call: Call): void {
    const { data, limits, settle } = call;
    const megabytes = Math.max(16, Math.ceil((limits.memory ?? defaults.memory) / 2 ** 20));
    const thread = new Worker(threadProgram, {
      eval: true,
      workerData: data,
      // What it prints must not get into the output of this program.
      ...{ stdout: true, stderr: true, execArgv: [] },
      resourceLimits: { maxOldGenerationSizeMb: megabytes },
    });
    thread.stdout.resume();
    thread.stderr.resume();
    const timer = setTimeout(() => {
      finish(() => {
        throw new WherryError('timed-out', `${nameOf(call)} did not end within ${limits.timeout / 1_000} s`);
      });
    }, limits.timeout);
    let over = false;
    const finish = (outcome: () => unknown) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      settle(outcome);
      void thread.terminate();
    };
    this.#finish.set(call, finish);
    thread.once('message', (answer: ThreadAnswer) => finish(() => resultOf(call, answer)));
    thread.on('error', (error) => finish(() => raise(call, error)));
    this.#running.set(
      thread,
      new Promise((resolve) => {
        thread.once('exit', (exitCode) => {
          finish(() => {
            throw failed(call, `ended without a result (exit code ${exitCode})`);
          });
          this.#running.delete(thread);
          this.#startNext();
          resolve();
        });
      }),
    );
  }
}

let shared: ComputePool | undefined;

/** Calls a function of a module in the threads that this program has for it; see ComputePool. */
export function compute(
  moduleUrl: string,
  exportName: string,
  input: unknown,
  limits: ComputeLimits,
): Promise<unknown> {
  shared ??= new ComputePool();
  return shared.compute(moduleUrl, exportName, input, limits);
}

function resultOf(call: Call, answer: ThreadAnswer): unknown {
  if (answer.kind === 'result') return deserialize(answer.bytes);
  const { kind, message, stack } = answer;
  const told = {
    load: 'could not be loaded',
    missing: 'cannot be used',
    run: 'failed',
    unusable: 'gave no usable result',
  };
  const cause = Object.assign(new Error(message), { stack });
  throw failed(call, `${told[kind]}: ${message}`, cause);
}

/** An error that the function did not pass on itself: thrown later, or by the limits of its thread. */
function raise(call: Call, error: Error & { readonly code?: string }): never {
  if (error.code !== 'ERR_WORKER_OUT_OF_MEMORY') throw failed(call, `failed: ${error.message}`, error);
  const megabytes = Math.round((call.limits.memory ?? defaults.memory) / 1e6);
  throw failed(call, `needed more than the ${megabytes} MB of memory that it may have`);
}

function failed(call: Call, what: string, cause?: unknown): WherryError {
  const error = new WherryError('computation-failed', `${nameOf(call)} ${what}`, cause === undefined ? {} : { cause });
  // The stack of this program tells nothing; that of the module does.
  if (cause instanceof Error && cause.stack !== undefined) error.stack = cause.stack;
  return error;
}

function nameOf({ data: { moduleUrl, exportName } }: Call): string {
  const path = moduleUrl.startsWith('file:') ? decodeURIComponent(new URL(moduleUrl).pathname) : moduleUrl;
  return exportName === 'default' ? path : `${exportName} of ${path}`;
}
