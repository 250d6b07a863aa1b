import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  calcfunction,
  defineCalcJob,
  defineWorkflow,
  type ProcessDefinition,
  ProcessFailed,
  Runner,
  run,
  WherryError,
  type WorkflowContext,
  z,
} from '../../../src/index.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
let runner: Runner;
beforeAll(async () => {
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterAll(async () => {
  await runner?.[Symbol.asyncDispose]();
  await test?.[Symbol.asyncDispose]();
});

const root = calcfunction('failures.root', (x: number) => {
  if (x < 0) throw new RangeError(`${x} has no root`);
  return Math.sqrt(x);
});

const Napping = defineWorkflow({
  name: 'failures.napping',
  inputs: z.object({}),
  outputs: z.object({}),
  exitCodes: { TIRED: { status: 310, message: 'after {milliseconds} ms' } },
  async run(ctx) {
    await ctx.sleep(50);
    return ctx.exit('TIRED', { milliseconds: 50 });
  },
});

const ways = ['let through', 'caught', 'looked at', 'refused', 'in a step', 'not awaited'] as const;

/** Has a child that fails, in so many ways. */
const Parent = defineWorkflow({
  name: 'failures.parent',
  inputs: z.object({ way: z.enum(ways) }),
  outputs: z.object({ seen: z.json() }),
  async run(ctx, { way }) {
    const seen = (error: unknown) => {
      const state = error instanceof ProcessFailed ? error.result.state : null;
      return { seen: error instanceof WherryError ? [error.code, error.message, state] : String(error) };
    };
    try {
      if (way === 'looked at') {
        const { ok, state, exit, reason } = await ctx.submit(Napping, {}).result();
        return { seen: [ok, state, exit?.status ?? null, reason] };
      }
      if (way === 'refused') await ctx.run(root, { y: 1 });
      if (way === 'in a step') await ctx.step('a step', () => Promise.reject(new RangeError('a bad step')));
      if (way === 'not awaited') ctx.submit(Napping, {});
      else await ctx.run(root, { x: -1 });
      return { seen: 'nothing' };
    } catch (error) {
      if (way === 'let through') throw error;
      return seen(error);
    }
  },
});

/** What a parent tells of it, and what it has called. */
async function outcome(way: (typeof ways)[number]) {
  const result = await runner.call(Parent, { way });
  const { store } = test.profile;
  const children = await store.selectFrom('processes').selectAll().where('parent_id', '=', result.id).execute();
  return { result, seen: result.outputs.seen, children };
}

describe('a child that fails', () => {
  it('fails its workflow with its own words, when nobody cares', async () => {
    const { result, children } = await outcome('let through');
    const message = `process ${children[0]?.id} (failures.root) is excepted: -1 has no root`;
    expect(result).toMatchObject({ ok: false, state: 'excepted', reason: message });
    expect(JSON.parse((await test.row(result.id)).exception ?? '')).toMatchObject({ code: 'process-failed', message });
  });

  it('is an error that can be caught, or a result that can be looked at', async () => {
    const caught = await outcome('caught');
    expect(caught.seen).toEqual(['process-failed', expect.stringContaining('-1 has no root'), 'excepted']);
    const looked = await outcome('looked at');
    expect(looked.seen).toEqual([false, 'finished', 310, null]);
  });

  it('before it is stored, for its inputs, leaves nothing behind', async () => {
    const { seen, children } = await outcome('refused');
    expect(seen).toEqual(['bad-input', expect.stringContaining('x: is missing'), null]);
    expect(children).toEqual([]);
  });

  it('goes on when nobody waits for it, whatever becomes of its workflow', async () => {
    const { result, seen, children } = await outcome('not awaited');
    expect([result.ok, seen]).toEqual([true, 'nothing']);
    const [child] = children;
    await expect.poll(async () => (await test.row(child?.id ?? 0)).exit_status, { timeout: 15_000 }).toBe(310);
  });
});

it('a step that fails fails with its own words', async () => {
  const { seen } = await outcome('in a step');
  expect(seen).toEqual(['computation-failed', 'a bad step', null]);
});

/** As a module finds it that imports another in a circle. */
const nothing = undefined as unknown as ProcessDefinition;
const noProcess = z.object({}) as unknown as ProcessDefinition;

const mistakes: Readonly<Record<string, readonly [(ctx: WorkflowContext) => unknown, string]>> = {
  'calls nothing': [(ctx) => ctx.run(nothing, {}), 'what was to be called is no process'],
  'calls what is no process': [(ctx) => ctx.run(noProcess, {}), 'what was to be called is no process'],
  'sleeps for no time': [(ctx) => ctx.sleep(Number.NaN), 'NaN is no time to sleep'],
  'sleeps until no date': [(ctx) => ctx.sleep(new Date(Number.NaN)), 'Invalid Date is no time to sleep'],
  'gives an output twice': [(ctx) => ctx.out('done', false), 'the output done was given twice, and not the same'],
};

const Mistaken = defineWorkflow({
  name: 'failures.mistaken',
  inputs: z.object({ how: z.string() }),
  outputs: z.object({ done: z.boolean() }),
  async run(ctx, { how }) {
    await mistakes[how]?.[0](ctx as never);
    return { done: true };
  },
});

describe('a workflow that', () => {
  it.each(Object.entries(mistakes))('%s is excepted, and told why', async (how, [, words]) => {
    const { state, reason } = await runner.call(Mistaken, { how });
    expect([state, reason]).toEqual(['excepted', expect.stringContaining(words)]);
  });
});

it('a workflow may return once more what it gave before', async () => {
  const Twice = defineWorkflow({
    name: 'failures.twice',
    inputs: z.object({}),
    outputs: z.object({ list: z.array(z.number()) }),
    async run(ctx) {
      ctx.out('list', [1, 2]);
      return { list: [1, 2] };
    },
  });
  expect(await run(Twice, {})).toEqual({ list: [1, 2] });
});

describe('a definition', () => {
  const ports = { inputs: z.object({}), outputs: z.object({}) };

  it('without what does its work is refused', () => {
    const missing = { ...ports, name: 'failures.missing' } as never;
    expect(() => defineWorkflow(missing)).toThrow('failures.missing has no function `run`');
    expect(() => defineCalcJob(missing)).toThrow('failures.missing has no function `prepare`');
  });

  it('that is none cannot be run', async () => {
    await expect(run(nothing, {})).rejects.toThrow('what was to be called is no process');
    await expect(runner.submit(noProcess, {})).rejects.toThrow('what was to be called is no process');
  });
});

it('a report of what is no text tells what it is', async () => {
  const Reporting = defineWorkflow({
    name: 'failures.reporting',
    ...{ inputs: z.object({}), outputs: z.object({}) },
    async run(ctx) {
      ctx.report({ a: [1] } as never);
      return {};
    },
  });
  const { id } = await runner.call(Reporting, {});
  const events = test.profile.store.selectFrom('events').select('data').where('process_id', '=', id);
  const [report] = await events.where('type', '=', 'process.report').execute();
  expect(JSON.parse(report?.data ?? '')).toMatchObject({ message: '{ a: [ 1 ] }' });
});
