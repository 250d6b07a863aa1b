import { setTimeout as delay } from 'node:timers/promises';

/** A clock for an engine that goes so many times as fast as the real one; waits take as much less. */
export function fastTime(factor: number): {
  readonly now: () => number;
  readonly sleep: (until: number, signal: AbortSignal) => Promise<void>;
} {
  const began = Date.now();
  const now = () => began + (Date.now() - began) * factor;
  return {
    now,
    // An abort ends the wait like its time does.
    sleep: (until, signal) =>
      delay(Math.max(1, (until - now()) / factor), undefined, { signal }).catch(() => undefined),
  };
}
