/** Milliseconds, and numbers of ends. */
export interface RestartTiming {
  /** A worker that was ready for so long did not end because of its start. */
  readonly steady: number;
  readonly firstPause: number;
  readonly longestPause: number;
  /** So many early ends in a row of one worker are a crash loop. */
  readonly endsOfLoop: number;
  readonly breakerPause: number;
  readonly longestBreakerPause: number;
}

export const restartTiming: RestartTiming = {
  steady: 10_000,
  firstPause: 250,
  longestPause: 30_000,
  endsOfLoop: 5,
  breakerPause: 60_000,
  longestBreakerPause: 600_000,
};

/** How many ends in a row came early, after one more. */
export function earlyEnds(before: number, readyFor: number, timing: RestartTiming): number {
  return readyFor >= timing.steady ? 1 : before + 1;
}

/**
 * Milliseconds until a worker is started again.
 * @param random between 0 and 1: workers that ended together do not start together
 */
export function restartPause(ends: number, random: number, timing: RestartTiming): number {
  const pause = Math.min(timing.longestPause, timing.firstPause * 2 ** Math.max(0, ends - 1));
  return pause * (0.5 + random / 2);
}

/** Milliseconds that a breaker stays open when it opens for the `times`-th time in a row. */
export function breakerPause(times: number, timing: RestartTiming): number {
  return Math.min(timing.longestBreakerPause, timing.breakerPause * 2 ** Math.max(0, times - 1));
}
