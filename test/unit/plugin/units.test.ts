import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration, parseSize } from '../../../src/plugin/units.js';

const refused = expect.objectContaining({ code: 'bad-input' });

describe('durations', () => {
  it.each([
    ['30s', 30],
    ['90m', 5400],
    ['1h30m', 5400],
    ['2d', 172_800],
    ['1.5h', 5400],
    ['250ms', 0.25],
    ['1m500ms', 60.5],
    ['45', 45],
    ['0', 0],
  ])('reads %s', (text, seconds) => {
    expect(parseDuration(text)).toBeCloseTo(seconds, 9);
  });

  it.each(['', ' ', 'h', '-1s', '1 h', '1h 30m', '1H', '1h30', '30sx', 'x30s', '1e3s', 'NaN', '١s'])(
    'refuses %j',
    (text) => {
      expect(() => parseDuration(text)).toThrow(refused);
    },
  );

  it('reads what it writes', () => {
    fc.assert(
      fc.property(fc.nat({ max: 10 ** 9 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds))).toBe(seconds);
      }),
    );
    expect([0, 59, 60, 5400, 90_061].map(formatDuration)).toEqual(['0s', '59s', '1m', '1h30m', '1d1h1m1s']);
  });
});

describe('sizes', () => {
  it.each([
    ['64GiB', 64 * 2 ** 30],
    ['500MB', 500e6],
    ['1.5 KiB', 1536],
    ['7', 7],
    ['3B', 3],
    ['2TiB', 2 ** 41],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', 'GiB', '-1', '1gb', '1 G', '1KB', '0x10', '1e3', 'Infinity', '1GiBx'])('refuses %j', (text) => {
    expect(() => parseSize(text)).toThrow(refused);
  });
});
