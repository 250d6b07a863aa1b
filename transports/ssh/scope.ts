import { aborted, timedOut } from './errors.js';

/** What ends an operation from outside. */
export interface Bounds {
  /** For messages: "the command", "the upload of x". */
  readonly what: string;
  /** Milliseconds. */
  readonly timeout: number;
  readonly signal?: AbortSignal | undefined;
  /** The connection's own signal. */
  readonly lost?: AbortSignal | undefined;
}

export interface Scope {
  /** Aborted with the error to throw, whatever the cause. */
  readonly signal: AbortSignal;
  /** Starts the time anew. */
  progress(): void;
  /** Ends the operation with this error. */
  stop(error: unknown): void;
}

/**
 * Runs `work` with one signal that fires on time-out, on request and on loss of the connection, each with its error.
 * `work` must end itself when the signal fires; `unlessAborted` helps with what cannot.
 */
export async function bounded<T>(bounds: Bounds, work: (scope: Scope) => Promise<T>): Promise<T> {
  const { what, timeout, signal, lost } = bounds;
  const controller = new AbortController();
  const stop = (error: unknown) => controller.abort(error);
  const onSignal = () => stop(aborted(what, signal?.reason));
  const onLost = () => stop(lost?.reason);
  const timer = setTimeout(() => stop(timedOut(what, timeout)), timeout);
  if (signal?.aborted) onSignal();
  else if (lost?.aborted) onLost();
  signal?.addEventListener('abort', onSignal, { once: true });
  lost?.addEventListener('abort', onLost, { once: true });
  try {
    controller.signal.throwIfAborted();
    return await work({ signal: controller.signal, progress: () => timer.refresh(), stop });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onSignal);
    lost?.removeEventListener('abort', onLost);
  }
}

/** The result of `promise`, or the signal's reason as soon as it fires; the promise's own end is then ignored. */
export function unlessAborted<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
