import { afterEach, beforeEach, expect, it } from 'vitest';
import { calcfunction, defineCalcJob, defineWorkflow, Runner, run, z } from '../../../src/index.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let calls = 0;
const square = calcfunction('cache.square', (x: number) => {
  calls++;
  return x * x;
});

const Print = defineCalcJob({
  name: 'cache.print',
  inputs: z.object({ text: z.string() }),
  outputs: z.object({ length: z.number() }),
  prepare: ({ inputs }) => ({ command: ['echo', inputs.text], retrieve: ['stdout.txt'] }),
  async parse({ retrieved }) {
    return { length: (await retrieved.text('stdout.txt')).length };
  },
});

const Vote = defineCalcJob({
  name: 'cache.vote',
  inputs: z.object({ code: z.number() }),
  outputs: z.object({ said: z.number() }),
  exitCodes: {
    NO: { status: 310, message: 'said {code}', cache: true },
    MAYBE: { status: 311, message: 'said {code}' },
  },
  cache: true,
  prepare: ({ inputs }) => ({ command: ['echo', String(inputs.code)] }),
  parse: ({ inputs: { code }, exit }) => exit(code === 0 ? 'NO' : 'MAYBE', { code }, { said: code }),
});

const Twice = defineWorkflow({
  name: 'cache.twice',
  inputs: z.object({ cache: z.boolean() }),
  outputs: z.object({ sum: z.number() }),
  async run(ctx, { cache }) {
    const one = await ctx.run(square, { x: 3 }, { cache });
    const other = await ctx.run(square, { x: 3 }, { cache });
    return { sum: Number(one.result) + Number(other.result) };
  },
});

let test: TestProfile;
let runner: Runner;
beforeEach(async () => {
  calls = 0;
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterEach(async () => {
  await runner[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

it('is not used unless somebody asks for it', async () => {
  expect(await run(Twice, { cache: false })).toEqual({ sum: 18 });
  expect(calls).toBe(2);
});

it('takes over what an equal function gave: the same data, and says from whom', async () => {
  expect(await run(Twice, { cache: true })).toEqual({ sum: 18 });
  expect(calls).toBe(1);
  const links = await test.profile.store
    .selectFrom('links')
    .select(['process_id', 'type', 'data_id'])
    .where('label', '=', 'result')
    .orderBy('process_id')
    .execute();
  expect(links.map(({ type }) => type)).toEqual(['create', 'return']);
  expect(new Set(links.map(({ data_id }) => data_id)).size).toBe(1);
  expect((await test.row(3)).cached_from).toBe(2);
  expect(await test.eventTypes(3)).toContain('process.report');
});

it('takes over a calcjob with its files, whatever it is called; not one with other inputs', async () => {
  const asked = { cache: true, job: { resources: { walltime: '10m' } } } as const;
  const first = await runner.call(Print, { text: 'hello' }, { ...asked, label: 'first' });
  const second = await runner.call(Print, { text: 'hello' }, { cache: true, label: 'second' });
  const third = await runner.call(Print, { text: 'hello!' }, { cache: true });
  expect([first, second, third].map(({ outputs }) => outputs.length)).toEqual([6, 6, 7]);
  const rows = await Promise.all([first, second, third].map(({ id }) => test.row(id)));
  expect(rows.map(({ cached_from }) => cached_from)).toEqual([null, first.id, null]);
  expect(rows.map(({ job_id }) => job_id !== null)).toEqual([true, false, true]);
  expect(await test.output(second.id, 'stdout.txt')).toBe('hello\n');
});

it('takes over a failure where its exit code says so, as a failure', async () => {
  const ends = [];
  for (const code of [0, 0, 1, 1]) ends.push(await runner.call(Vote, { code }));
  const rows = await Promise.all(ends.map(({ id }) => test.row(id)));
  expect(rows.map(({ cached_from }) => cached_from)).toEqual([null, ends[0]?.id, null, null]);
  expect(ends[1]).toMatchObject({
    ...{ state: 'finished', ok: false, exit: { status: 310, label: 'NO', message: 'said 0' } },
    outputs: { said: 0 },
  });
});
