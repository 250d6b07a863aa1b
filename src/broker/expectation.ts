import { WherryError } from '../errors.js';

/** How long something may take at most. */
export interface Limits {
  /** On the clock of `performance.now()`. */
  readonly until?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A promise that somebody else settles, given up when its time is over or its signal comes. */
export class Expectation<Value> {
  readonly promise: Promise<Value>;
  #settled = false;
  readonly #resolve: (value: Value) => void;
  readonly #reject: (error: unknown) => void;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #abort = () => this.reject(abortedError());

  /** @param tooLate makes the error for the end of the time */
  constructor({ until, signal }: Limits, tooLate: () => WherryError) {
    const { promise, resolve, reject } = settleable<Value>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    // It may fail before anybody looks at it.
    promise.catch(() => undefined);
    if (signal?.aborted) {
      this.#abort();
      return;
    }
    this.#signal = signal;
    signal?.addEventListener('abort', this.#abort);
    if (until !== undefined) {
      this.#timer = setTimeout(() => this.reject(tooLate()), Math.max(0, until - performance.now()));
    }
  }

  get settled(): boolean {
    return this.#settled;
  }

  resolve(value: Value): void {
    if (this.#settle()) this.#resolve(value);
  }

  reject(error: unknown): void {
    if (this.#settle()) this.#reject(error);
  }

  #settle(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#abort);
    return true;
  }
}

export function abortedError(): WherryError {
  return new WherryError('aborted', 'it was stopped on request');
}

function settleable<Value>() {
  let resolve: (value: Value) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<Value>((resolvePromise, rejectPromise) => {
    resolve = resolvePromise;
    reject = rejectPromise;
  });
  return { promise, resolve, reject };
}
