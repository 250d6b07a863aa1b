import { afterEach, beforeEach, expect, it } from 'vitest';
import { calcfunction, type Data, defineWorkflow, Runner, run, workfunction, z } from '../../../src/index.js';
import { processStack } from '../../../src/process/process-stack.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
let runner: Runner;
beforeEach(async () => {
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterEach(async () => {
  await runner[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

const names = () => processStack().map(({ name }) => name);

/** Says in what it runs, before and after everything else had its turn. */
const inner = calcfunction('stack.inner', async (tag: string) => {
  const before = names();
  await new Promise((resolve) => setTimeout(resolve, 5));
  return { tag, before, after: names() };
});

const middle = calcfunction('stack.middle', async (tag: string) => {
  const before = names();
  const [one, other] = await Promise.all([inner(`${tag}1`), inner(`${tag}2`)]);
  return { before, after: names(), inner: [one.value, other.value] };
});

const outer = workfunction('stack.outer', async (tag: Data<string>) => {
  const before = names();
  const gave = await middle(tag);
  if (names().join() !== before.join()) throw new Error(`was in ${before}, is in ${names()}`);
  return gave;
});

const Outermost = defineWorkflow({
  name: 'stack.outermost',
  inputs: z.object({ tags: z.array(z.string()) }),
  outputs: z.object({ seen: z.array(z.json()) }),
  async run(_ctx, { tags }) {
    const seen = await Promise.all(tags.map(async (tag) => (await outer(tag)).value));
    return { seen: [...seen.map((one) => JSON.parse(JSON.stringify(one))), names()] };
  },
});

const seenIn = (tag: string, callers: readonly string[]) => {
  const within = [...callers, 'stack.outer', 'stack.middle'];
  const innermost = (number: number) => ({
    tag: `${tag}${number}`,
    before: [...within, 'stack.inner'],
    after: [...within, 'stack.inner'],
  });
  return { before: within, after: within, inner: [innermost(1), innermost(2)] };
};

it('is right in processes inside processes, interleaved, and three at once', async () => {
  const { seen } = await run(Outermost, { tags: ['a', 'b', 'c'] });
  const root = ['stack.outermost'];
  expect(seen).toEqual([...['a', 'b', 'c'].map((tag) => seenIn(tag, root)), root]);
  expect(names()).toEqual([]);
  const rows = await test.profile.store.selectFrom('processes').select(['id', 'name', 'parent_id']).execute();
  const parent = (id: number | null) => rows.find((row) => row.id === id)?.name ?? null;
  const calls = rows.map(({ name, parent_id }) => `${parent(parent_id)} → ${name}`).sort();
  expect(calls).toEqual([
    ...Array.from({ length: 1 }, () => 'null → stack.outermost'),
    ...Array.from({ length: 6 }, () => 'stack.middle → stack.inner'),
    ...Array.from({ length: 3 }, () => 'stack.outer → stack.middle'),
    ...Array.from({ length: 3 }, () => 'stack.outermost → stack.outer'),
  ]);
});

it('is one of several roots, run at once', async () => {
  const [one, other] = await Promise.all([outer('x'), outer('y')]);
  expect([one.value, other.value]).toEqual([seenIn('x', []), seenIn('y', [])]);
});
