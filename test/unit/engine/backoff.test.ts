import fastCheck from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backoff, waitAfter } from '../../../src/engine/backoff.js';

const failures = fastCheck.integer({ min: 0, max: 10_000 });
const random = fastCheck.double({ min: 0, max: 1, noNaN: true });

describe('the wait after failures', () => {
  it('lies within a fifth of the doubled first wait, under the ceiling', () => {
    fastCheck.assert(
      fastCheck.property(failures, random, fastCheck.integer({ min: 1, max: 600_000 }), (count, chance, first) => {
        const wait = waitAfter(count, chance, first);
        const nominal = Math.min(backoff.ceiling, first * 2 ** Math.max(0, count - 1));
        expect(Number.isInteger(wait)).toBe(true);
        expect(wait).toBeGreaterThanOrEqual(Math.floor(0.8 * nominal));
        expect(wait).toBeLessThanOrEqual(Math.ceil(1.2 * nominal));
      }),
    );
  });

  it('never becomes shorter with one more failure', () => {
    fastCheck.assert(
      fastCheck.property(failures, random, (count, chance) => {
        expect(waitAfter(count + 1, chance)).toBeGreaterThanOrEqual(waitAfter(count, chance));
      }),
    );
  });

  it('is the one that users of the field know', () => {
    expect([1, 2, 3, 4, 5, 6, 60].map((count) => waitAfter(count, 0.5))).toEqual(
      [20, 40, 80, 160, 320, 600, 600].map((seconds) => seconds * 1000),
    );
    expect(backoff.attempts).toBe(5);
  });
});
