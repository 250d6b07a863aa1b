import { describe, expect, it } from 'vitest';
import { FairShare } from '../../../src/engine/fair-share.js';

describe('the share of one worker', () => {
  it.each([
    ['all, when it is alone', 1, 3, [0, 1, 2]],
    ['one of three, beside two others', 3, 3, [0]],
    ['one of three, beside three others', 4, 3, [0]],
    ['two of three, beside one other', 2, 3, [0, 1]],
    ['one, while it does not know how many there are', Number.POSITIVE_INFINITY, 3, [0]],
  ])('is %s', (_, workers, total, held) => {
    const share = new FairShare(
      () => workers,
      () => 0,
    );
    const taken = [0, 1, 2].filter((count) => share.mayTake('computer:7', count, total));
    expect(taken).toEqual(held);
  });

  it('is exceeded when others have come', () => {
    let workers = 1;
    const share = new FairShare(
      () => workers,
      () => 0,
    );
    expect(share.exceeded(3, 3)).toBe(false);
    workers = 3;
    expect([1, 2, 3].map((held) => share.exceeded(held, 3))).toEqual([false, true, true]);
  });

  it('grows by what the others leave alone for two seconds, counted anew once somebody had it', () => {
    let now = 1_000;
    const share = new FairShare(
      () => 2,
      () => now,
    );
    expect(share.mayTake('computer:7', 1, 2)).toBe(false);
    now += 1_999;
    expect(share.mayTake('computer:7', 1, 2)).toBe(false);
    share.taken('computer:7');
    now += 1;
    expect(share.mayTake('computer:7', 1, 2)).toBe(false);
    now += 2_000;
    expect(share.mayTake('computer:7', 1, 2)).toBe(true);
  });
});
