import { describe, expect, it } from 'vitest';
import { fingerprintOf, isSameCall } from '../../../src/workflow/record.js';

describe('the fingerprint of what was given', () => {
  it('does not depend on the order of names, and is that of nothing for nothing', () => {
    expect(fingerprintOf({ a: 1, b: { c: 2, d: 3 } })).toBe(fingerprintOf({ b: { d: 3, c: 2 }, a: 1 }));
    expect(fingerprintOf(undefined)).toBe(fingerprintOf(null));
  });

  it.each<[string, unknown, unknown]>([
    ['values', { a: 1 }, { a: 2 }],
    ['names', { a: 1 }, { b: 1 }],
    ['numbers that are none', { a: Number.NaN }, { a: Number.POSITIVE_INFINITY }],
    ['lists in another order', [1, 2], [2, 1]],
  ])('differs for other %s', (_name, one, other) => {
    expect(fingerprintOf(one)).not.toBe(fingerprintOf(other));
  });

  it('comes to its end for what contains itself', () => {
    const circle: Record<string, unknown> = {};
    circle.inside = circle;
    expect(fingerprintOf(circle)).toMatch(/^[\w-]{43}$/);
  });
});

describe('two calls', () => {
  it('are the same whatever was drawn or decided', () => {
    const drawn = (value: number) => ({ type: 'value', of: 'random', value }) as const;
    expect(isSameCall(drawn(0.1), drawn(0.2))).toBe(true);
    expect(isSameCall({ type: 'sleep', until: 1 }, { type: 'sleep', until: 2 })).toBe(true);
    const called = (child: string) => ({ type: 'process', name: 'a', fingerprint: 'x', child }) as const;
    expect(isSameCall(called('one'), called('other'))).toBe(true);
    expect(isSameCall(called('one'), { ...called('one'), name: 'b' })).toBe(false);
    expect(isSameCall({ type: 'step', name: 'a' }, { type: 'step', name: 'b' })).toBe(false);
  });
});
