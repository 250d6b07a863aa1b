import { WherryError } from '../../errors.js';

/** Something that somebody else brings about, and that is not waited for for ever. */
export interface Awaited<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export interface AwaitedOptions {
  /** Milliseconds; without it there is no end of patience. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The error when the time is over. */
  readonly late?: (() => WherryError) | undefined;
  /** Called when it is given up, by time or signal; not when the signal has come before. */
  readonly givenUp?: () => void;
}

/** Errors: `aborted` by the signal; that of `late` when the time is over. */
export function awaited<T>({ timeout, signal, late, givenUp }: AwaitedOptions): Awaited<T> {
  let settled = false;
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  let timer: NodeJS.Timeout | undefined;
  const settle = <A>(how: (argument: A) => void) => {
    return (argument: A) => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      how(argument);
    };
  };
  const one: Awaited<T> = { promise, resolve: settle(resolve), reject: settle(reject) };
  const giveUp = (error: WherryError) => {
    one.reject(error);
    givenUp?.();
  };
  const abort = () => giveUp(aborted());
  if (signal?.aborted) one.reject(aborted());
  else {
    signal?.addEventListener('abort', abort, { once: true });
    if (timeout !== undefined) timer = setTimeout(() => giveUp(late?.() ?? timedOut(timeout)), timeout);
  }
  return one;
}

export function aborted(): WherryError {
  return new WherryError('aborted', 'stopped on request');
}

function timedOut(timeout: number): WherryError {
  return new WherryError('timed-out', `no answer came within ${timeout / 1_000} s`, { transient: true });
}
