import { describe, expect, it } from 'vitest';
import { nextLook } from '../../../src/engine/poll-interval.js';

const now = 1_000_000_000;
const minute = 60_000;
const wait = (unchangedFor: number, expectedEnd?: number, killed = false) =>
  nextLook(
    { waiting_since: now - unchangedFor, stage_since: 0, kill_requested_at: killed ? 1 : null },
    expectedEnd === undefined
      ? undefined
      : { id: '1', state: 'running', word: 'R', expectedEndAt: new Date(now + expectedEnd).toISOString() },
    now,
    10_000,
  ) - now;

describe('when a job is looked at again', () => {
  it.each([
    ['soon after it was submitted', 0, 10_000],
    ['as often as is allowed for the first minutes', 3 * minute, 10_000],
    ['after a twentieth of the time that nothing has changed', 20 * minute, minute],
    ['after twenty intervals at the latest', 600 * minute, 200_000],
    ['soon where clocks disagree', -5 * minute, 10_000],
  ])('is %s', (_title, unchangedFor, expected) => {
    expect(wait(unchangedFor)).toBe(expected);
  });

  it.each([
    ['in time for its expected end', 30_000, 30_000],
    ['no more often than is allowed, however near that is', 2_000, 10_000],
    ['soon when it should have ended', -minute, 10_000],
    ['as without it where that is far away', 500 * minute, 200_000],
  ])('is %s', (_title, end, expected) => {
    expect(wait(600 * minute, end)).toBe(expected);
  });

  it('is soon where it is to be killed', () => {
    expect(wait(600 * minute, undefined, true)).toBe(10_000);
  });

  it('is never seldomer than five minutes, unless the interval itself is longer', () => {
    const row = { waiting_since: 0, stage_since: 0, kill_requested_at: null };
    expect(nextLook(row, undefined, now, 30_000) - now).toBe(300_000);
    expect(nextLook(row, undefined, now, 900_000) - now).toBe(900_000);
  });
});
