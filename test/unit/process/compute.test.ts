import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ComputeLimits, ComputePool } from '../../../src/process/compute.js';
import { until } from '../../rigs/until.js';

let directory: string;
let pool: ComputePool;
const generous: ComputeLimits = { timeout: 60_000 };

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'wherry-compute-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));
beforeEach(() => {
  pool = new ComputePool({ threads: 2 });
});
afterEach(() => pool[Symbol.asyncDispose]());

/** A module with this text; its URL. */
async function module(name: string, text: string): Promise<string> {
  const file = path.join(directory, name);
  await writeFile(file, text);
  return pathToFileURL(file).href;
}

const endless = () => module('endless.mjs', 'export default () => { for (;;); }');
const double = () => module('double.mjs', 'export default (x) => 2 * x;');

/** Threads of this process. */
const threads = () => readdirSync('/proc/self/task').length;

/** How late the main loop is in nine of ten looks, in milliseconds, measured for two seconds. */
async function lateness(): Promise<number> {
  const resolution = 10;
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  delay.disable();
  // The histogram has the time between two looks.
  return delay.percentile(90) / 1e6 - resolution;
}

describe('a function in a thread', () => {
  it('gets a copy of its input, and gives one of what it returns', async () => {
    const url = await module(
      'copy.mjs',
      'export async function turn(x) { x.list.reverse(); return { ...x, at: x.at }; }',
    );
    const input = { list: [1, 2], at: new Date(7), map: new Map([['a', new Uint8Array([1])]]), none: undefined };
    expect(await pool.compute(url, 'turn', input, generous)).toEqual({ ...input, list: [2, 1] });
    expect(input.list).toEqual([1, 2]);
  });

  it('may be of a CommonJS module', async () => {
    const url = await module('old.cjs', 'module.exports = (x) => x + 1;');
    expect(await pool.compute(url, 'default', 1, generous)).toBe(2);
  });

  it('is read anew when it has changed', async () => {
    await pool.compute(await module('changing.mjs', 'export default () => 1;'), 'default', null, generous);
    const url = await module('changing.mjs', 'export default () => 2;');
    expect(await pool.compute(url, 'default', null, generous)).toBe(2);
  });

  it('prints nothing into the output of this program', async () => {
    const url = await module(
      'noise.mjs',
      'export default () => { console.log("noise"); return process.stdout.isTTY; }',
    );
    expect(await pool.compute(url, 'default', null, generous)).not.toBe(true);
  });
});

describe('what goes wrong', () => {
  const cases: [string, string, string, RegExp][] = [
    ['a module with a syntax error', 'syntax.mjs', 'export default ( {', /syntax\.mjs could not be loaded: Unexpected/],
    ['a module that throws', 'throws.mjs', 'throw new Error("at once")', /could not be loaded: at once/],
    [
      'a module without the function',
      'empty.mjs',
      'export const x = 1;',
      /cannot be used: it exports no function default/,
    ],
    ['a throw', 'throw.mjs', 'export default () => { throw new TypeError("too bad"); }', /throw\.mjs failed: too bad/],
    ['a throw of something else', 'odd.mjs', 'export default () => { throw "words"; }', /failed: words/],
    ['a throw of nothing', 'null.mjs', 'export default async () => { throw null; }', /failed: null/],
    [
      'a late throw',
      'late.mjs',
      'export default () => new Promise(() => setTimeout(() => { throw new Error("late"); }))',
      /failed: late/,
    ],
    [
      'a rejection that nobody hears',
      'unheard.mjs',
      'export default () => new Promise(() => { Promise.reject(new Error("unheard")); })',
      /failed: unheard/,
    ],
    [
      'a result that cannot be copied',
      'function.mjs',
      'export default () => () => 1;',
      /gave no usable result: .*could not be cloned/,
    ],
    [
      'a result that is too large',
      'large.mjs',
      'export default () => "x".repeat(2e6);',
      /no usable result: 2000\d+ bytes, where 1000000/,
    ],
    [
      'a promise that is never kept',
      'never.mjs',
      'export default () => new Promise(() => {});',
      /without a result \(exit code \d+\)/,
    ],
    ['an exit', 'exit.mjs', 'export default () => process.exit(7);', /without a result \(exit code 7\)/],
  ];

  it.each(cases)('%s is told', async (_, name, text, words) => {
    const url = await module(name, text);
    const failure = pool.compute(url, 'default', null, { ...generous, result: 1_000_000 });
    await expect(failure).rejects.toMatchObject({ code: 'computation-failed', message: expect.stringMatching(words) });
    expect(await pool.compute(await double(), 'default', 21, generous)).toBe(42);
  });

  it('a module that is missing', async () => {
    const failure = pool.compute(pathToFileURL(path.join(directory, 'nowhere.mjs')).href, 'default', 0, generous);
    await expect(failure).rejects.toMatchObject({
      code: 'computation-failed',
      message: expect.stringContaining('nowhere'),
    });
  });

  it('an input that cannot be copied', async () => {
    const failure = pool.compute(await double(), 'default', () => 1, generous);
    await expect(failure).rejects.toMatchObject({ code: 'computation-failed' });
    expect(await pool.compute(await double(), 'default', 21, generous)).toBe(42);
  });

  it('has the stack of the module', async () => {
    const url = await module(
      'deep.mjs',
      'function inner() { throw new Error("deep"); }\nexport default () => inner();',
    );
    const error = await pool.compute(url, 'default', null, generous).catch((thrown: Error) => thrown);
    expect((error as Error).stack).toMatch(/at inner .*deep\.mjs:1/);
  });
});

describe('limits', () => {
  it('end a loop that does not end', async () => {
    const begun = performance.now();
    const failure = pool.compute(await endless(), 'default', null, { timeout: 500 });
    await expect(failure).rejects.toMatchObject({ code: 'timed-out', message: expect.stringContaining('0.5 s') });
    expect(performance.now() - begun).toBeGreaterThanOrEqual(500);
    await until(() => pool.size === 0, { what: 'the end of the thread' });
  });

  it('end an expression that backtracks without end', async () => {
    const url = await module('regexp.mjs', 'export default () => /^(a+)+$/.test("a".repeat(60) + "b");');
    await expect(pool.compute(url, 'default', null, { timeout: 500 })).rejects.toMatchObject({ code: 'timed-out' });
    await until(() => pool.size === 0, { what: 'the end of the thread' });
  });

  it('end what takes too much memory, and only that', async () => {
    const url = await module(
      'hog.mjs',
      'export default () => { const all = []; for (;;) all.push({ x: [all.length] }); }',
    );
    const other = pool.compute(await double(), 'default', 4, generous);
    const failure = pool.compute(url, 'default', null, { ...generous, memory: 32 * 2 ** 20 });
    await expect(failure).rejects.toMatchObject({
      code: 'computation-failed',
      message: expect.stringContaining('34 MB'),
    });
    expect(await other).toBe(8);
  });

  it('do not count the time in the queue', async () => {
    await using narrow = new ComputePool({ threads: 1 });
    const first = narrow.compute(await endless(), 'default', null, { timeout: 1_500 });
    const second = narrow.compute(await double(), 'default', 1, { timeout: 1_400 });
    await expect(first).rejects.toMatchObject({ code: 'timed-out' });
    expect(await second).toBe(2);
  });
});

describe('an abort', () => {
  it('ends what runs', async () => {
    const abort = new AbortController();
    const failure = pool.compute(await endless(), 'default', null, { ...generous, signal: abort.signal });
    await until(() => pool.size === 1, { what: 'the thread' });
    abort.abort();
    await expect(failure).rejects.toMatchObject({ code: 'aborted' });
    await until(() => pool.size === 0, { what: 'the end of the thread' });
  });

  it('takes what waits out of the queue', async () => {
    await using narrow = new ComputePool({ threads: 1 });
    const blocker = new AbortController();
    const blocked = narrow.compute(await endless(), 'default', null, { ...generous, signal: blocker.signal });
    const abort = new AbortController();
    const waiting = narrow.compute(await double(), 'default', 1, { ...generous, signal: abort.signal });
    const next = narrow.compute(await double(), 'default', 2, generous);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'aborted' });
    blocker.abort();
    await expect(blocked).rejects.toMatchObject({ code: 'aborted' });
    expect(await next).toBe(4);
  });

  it('that came before is heard', async () => {
    const failure = pool.compute(await double(), 'default', 1, { ...generous, signal: AbortSignal.abort() });
    await expect(failure).rejects.toMatchObject({ code: 'aborted' });
    expect(pool.size).toBe(0);
  });
});

describe('many calls', () => {
  it('have their turn in the order in which they came', async () => {
    await using narrow = new ComputePool({ threads: 1 });
    const url = await double();
    const order: number[] = [];
    const ask = async (index: number) => order.push(Number(await narrow.compute(url, 'default', index, generous)));
    await Promise.all([1, 2, 3, 4, 5].map(ask));
    expect(order).toEqual([2, 4, 6, 8, 10]);
  });

  it('go through two threads, each with its own result, and no thread is left', async () => {
    const url = await double();
    const before = threads();
    let most = 0;
    const calls = Array.from({ length: 200 }, async (_, index) => {
      const result = await pool.compute(url, 'default', index, generous);
      most = Math.max(most, pool.size);
      return result;
    });
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 200 }, (_, index) => 2 * index));
    expect(most).toBeLessThanOrEqual(2);
    await pool[Symbol.asyncDispose]();
    expect(pool.size).toBe(0);
    await until(() => threads() <= before, { what: 'as many threads as before' });
  }, 120_000);

  it('are refused for now when too many wait', async () => {
    await using narrow = new ComputePool({ threads: 1, queue: 1 });
    const running = narrow.compute(await endless(), 'default', null, { timeout: 1_000 });
    const waiting = narrow.compute(await double(), 'default', 1, generous);
    const third = narrow.compute(await double(), 'default', 1, generous);
    await expect(third).rejects.toMatchObject({ code: 'back-pressure', transient: true });
    await expect(running).rejects.toMatchObject({ code: 'timed-out' });
    expect(await waiting).toBe(2);
  });

  it('leave the main loop alone while four threads compute', async () => {
    // What other programs of this machine do to the loop is not the threads' doing.
    const alone = await lateness();
    await using wide = new ComputePool({ threads: 4 });
    const url = await endless();
    const abort = new AbortController();
    const calls = Array.from({ length: 4 }, () =>
      wide.compute(url, 'default', null, { ...generous, signal: abort.signal }).catch((error: Error) => error),
    );
    await until(() => wide.size === 4, { what: 'four threads' });
    const late = await lateness();
    abort.abort();
    expect((await Promise.all(calls)).map((error) => (error as { code?: string }).code)).toEqual(
      Array(4).fill('aborted'),
    );
    expect(late - alone).toBeLessThan(50);
  });
});

describe('closing', () => {
  it('ends what runs and what waits, and takes no more', async () => {
    const url = await endless();
    const calls = Array.from({ length: 5 }, () => pool.compute(url, 'default', null, generous));
    const outcomes = Promise.allSettled(calls);
    await until(() => pool.size === 2, { what: 'two threads' });
    await pool[Symbol.asyncDispose]();
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ reason: { code: 'aborted' } });
    expect(pool.size).toBe(0);
    await expect(pool.compute(url, 'default', null, generous)).rejects.toMatchObject({ code: 'aborted' });
  });
});
