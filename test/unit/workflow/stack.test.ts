import { afterEach, beforeEach, expect, it } from 'vitest';
import { Outermost, outer } from '../../../examples/stack.js';
import { processStack, Runner, run } from '../../../src/index.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { seenIn, seenInThree } from '../../rigs/stack.js';

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

it('is right in processes inside processes, interleaved, and three at once', async () => {
  expect(await run(Outermost, { tags: ['a', 'b', 'c'] })).toEqual(seenInThree);
  expect(processStack()).toEqual([]);
  const rows = await test.profile.store.selectFrom('processes').select(['id', 'name', 'parent_id']).execute();
  const parent = (id: number | null) => rows.find((row) => row.id === id)?.name ?? null;
  const calls = rows.map(({ name, parent_id }) => `${parent(parent_id)} → ${name}`).sort();
  expect(calls).toEqual([
    ...Array.from({ length: 6 }, () => 'example.middle → example.inner'),
    ...Array.from({ length: 3 }, () => 'example.outer → example.middle'),
    ...Array.from({ length: 3 }, () => 'example.outermost → example.outer'),
    'null → example.outermost',
  ]);
});

it('is one of several roots, run at once', async () => {
  const [one, other] = await Promise.all([outer('x'), outer('y')]);
  expect([one.value, other.value]).toEqual([seenIn('x', []), seenIn('y', [])]);
});
