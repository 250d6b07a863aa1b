/** First wait, factor, ceiling and number of attempts that users of the field know. Milliseconds. */
export const backoff = { first: 20_000, factor: 2, ceiling: 600_000, attempts: 5 } as const;

/**
 * The wait before the next try: doubling, with a jitter of a fifth either way, under a ceiling.
 * @param failures how many tries have failed in a row, from 1
 * @param random from 0 to 1
 * @returns milliseconds
 */
export function waitAfter(failures: number, random: number, first: number = backoff.first): number {
  const nominal = Math.min(backoff.ceiling, first * backoff.factor ** (Math.max(1, failures) - 1));
  return Math.round(nominal * (0.8 + 0.4 * random));
}
