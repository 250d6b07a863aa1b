import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { InputIssue } from '../../../../src/errors.js';
import { LocalFile } from '../../../../src/process/data.js';
import { jsonCopy } from '../../../../src/process/serialize-value.js';
import { canonicalJson } from '../../../../src/store/data.js';
import { asStored, mistakes, seen } from './spec-rig.js';

function copied(value: unknown): { copy: unknown; issues: Record<string, string> } {
  const issues: InputIssue[] = [];
  const copy = jsonCopy(value, ['v'], issues);
  return { copy, issues: Object.fromEntries(issues.map(({ path, message }) => [path, message])) };
}

class Point {
  readonly x = 1;
}

const cycle: unknown[] = [];
cycle.push({ cycle });

describe('a value', () => {
  it('that is JSON comes back equal, and is another', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const { copy, issues } = copied(value);
        expect(issues).toEqual({});
        // Object.is would tell -0 from 0.
        expect(JSON.stringify(copy)).toBe(JSON.stringify(value));
        if (typeof value === 'object' && value !== null) expect(copy).not.toBe(value);
      }),
      { numRuns: 300 },
    );
  });

  it('is the same before and after it was stored, and has the same hash', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const inputs = z.object({ v: z.any() });
        const first = (await seen(inputs, { v: value })) as { v: unknown };
        const again = (await seen(inputs, first)) as { v: unknown };
        expect(again).toStrictEqual(first);
        expect(canonicalJson(first.v)).toBe(canonicalJson(value));
      }),
      { numRuns: 100 },
    );
  });

  it.each<[string, unknown, string]>([
    ['v', undefined, 'is nothing, which is no JSON'],
    ['v', () => 1, 'is a function, which is no JSON'],
    ['v', Symbol('x'), 'is a symbol, which is no JSON'],
    ['v', 10n, 'is a bigint, which is no JSON'],
    ['v', Number.NaN, 'is NaN, which is no JSON'],
    ['v.list[1]', { list: [1, Number.POSITIVE_INFINITY] }, 'is Infinity, which is no JSON'],
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is tried here.
    ['v[1]', [1, , 2], 'is nothing, which is no JSON'],
    ['v.when', { when: new Date(0) }, 'is an instance of Date, which is no JSON'],
    ['v', new Map(), 'is an instance of Map, which is no JSON'],
    ['v', new Set(), 'is an instance of Set, which is no JSON'],
    ['v', new Point(), 'is an instance of Point, which is no JSON'],
    ['v', Object.create({}), 'is an instance of Object, which is no JSON'],
    ['v', Object.create(Object.create(null)), 'is an instance of a class, which is no JSON'],
    ['v', Buffer.from('x'), 'is an instance of Buffer, which is no JSON'],
    ['v[0]', [Promise.resolve()], 'is an instance of Promise, which is no JSON'],
    ['v.file', { file: new LocalFile('/x') }, 'is a file, where a value is asked for'],
    [
      'v[0]',
      [asStored({ type: 'value', content: 1 })],
      expect.stringContaining('stored data inside of a value') as never,
    ],
    ['v[0].cycle', cycle, 'contains itself'],
    ['v', 'half \ud83d', 'has half a character (a lone surrogate) in it'],
    ['v["\\ude00"]', { '\ude00': 1 }, 'has half a character in its name'],
    ['v.toJSON', { toJSON: () => 'x' }, 'is a function, which is no JSON'],
  ])('is refused at %s', (path, value, message) => {
    expect(copied(value).issues).toEqual({ [path]: message });
  });

  it('is refused at every place at once', () => {
    expect(Object.keys(copied({ a: [Number.NaN, 1, () => 1], b: { c: 1n } }).issues)).toEqual([
      'v.a[0]',
      'v.a[2]',
      'v.b.c',
    ]);
  });

  it('that is wrong in a million places is not told of all of them', () => {
    expect(Object.keys(copied(new Array(1_000_000).fill(Number.NaN)).issues)).toHaveLength(100);
  });

  it('has no entries that are undefined, and no negative zero', () => {
    expect(copied({ a: undefined, b: [-0] })).toStrictEqual({ copy: { b: [0] }, issues: {} });
  });

  it('may have the same part in two places', () => {
    const part = { x: 1 };
    expect(copied([part, part])).toEqual({ copy: [{ x: 1 }, { x: 1 }], issues: {} });
  });

  it('is refused where it is too deep, and nobody runs out of stack', async () => {
    const deep = (levels: number) => JSON.parse('['.repeat(levels) + ']'.repeat(levels)) as unknown;
    expect(copied(deep(1_000)).issues).toEqual({});
    expect(Object.values(copied(deep(100_000)).issues)).toEqual(['is nested more than 1000 levels deep']);
    expect(await seen(z.object({ v: z.json() }), { v: deep(1_000) })).toEqual({ v: deep(1_000) });
  });

  it('keeps an entry called __proto__ as an entry', () => {
    const { copy } = copied(JSON.parse('{"__proto__": {"polluted": true}}'));
    expect(JSON.stringify(copy)).toBe('{"__proto__":{"polluted":true}}');
    expect((copy as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it('is what its getters gave once', () => {
    let asked = 0;
    const value = {
      get n() {
        asked += 1;
        return asked;
      },
    };
    expect(copied(value).copy).toEqual({ n: 1 });
  });
});

describe('what a schema makes of a value', () => {
  it('must be JSON as well', async () => {
    const inputs = z.object({ when: z.string().transform((text) => ({ at: new Date(text) })) });
    expect(await mistakes(inputs, { when: '2020-01-01' })).toEqual({
      'when.at': 'is an instance of Date, which is no JSON',
    });
  });

  it('is what is stored', async () => {
    const inputs = z.object({ when: z.string().transform((text) => Date.parse(text)) });
    expect(await seen(inputs, { when: '1970-01-01T00:00:01Z' })).toEqual({ when: 1000 });
  });
});
