import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Chain, LinkedChain } from '../../../examples/add-on-computer.js';
import { addAndMultiply } from '../../../examples/arithmetic.js';
import { NestedWorkflow } from '../../../examples/nested-workflow.js';
import { Runner, run } from '../../../src/engine/control/runner.js';
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

describe('addAndMultiply', () => {
  it('gives the data of the functions that it calls', async () => {
    const { sum, product } = await addAndMultiply(1, 2, 3);
    expect([sum.value, product.value]).toEqual([3, 9]);
    const rows = await test.profile.store.selectFrom('processes').selectAll().orderBy('id').execute();
    expect(rows.map(({ name, kind, state, parent_id }) => [name, kind, state, parent_id])).toEqual([
      ['example.add-and-multiply', 'workflow', 'finished', null],
      ['example.add', 'function', 'finished', 1],
      ['example.multiply', 'function', 'finished', 1],
    ]);
    const links = await test.profile.store.selectFrom('links').selectAll().where('data_id', '=', sum.id).execute();
    expect(links.map(({ process_id, type, label }) => [process_id, type, label]).sort()).toEqual([
      [1, 'return', 'sum'],
      [2, 'create', 'result'],
      [3, 'input', 'x'],
    ]);
  });
});

describe('NestedWorkflow', () => {
  it.each([0, 1, 50, 200])('of %i levels', { timeout: 60_000 }, async (n) => {
    expect(await run(NestedWorkflow, { n })).toEqual({ depth: n });
  });
});

describe('Chain', () => {
  it('runs calcjobs, one after another', async () => {
    expect(await run(Chain, { n: 3 })).toEqual({ total: 3 });
    const rows = await test.profile.store.selectFrom('processes').selectAll().orderBy('id').execute();
    expect(rows.map(({ name, state, exit_status, parent_id }) => [name, state, exit_status, parent_id])).toEqual([
      ['example.chain', 'finished', 0, null],
      ...Array.from({ length: 3 }, () => ['example.add-on-computer', 'finished', 0, 1]),
    ]);
  });
});

describe('LinkedChain', () => {
  it('passes on the data that it was given and got, from its input to its output', async () => {
    expect(await run(LinkedChain, { start: 5, n: 3 })).toEqual({ total: 8 });
    const links = await test.profile.store
      .selectFrom('links')
      .select(['process_id', 'type', 'label', 'data_id'])
      .where('label', 'in', ['start', 'x', 'sum', 'total'])
      .execute();
    const number = new Map(
      [...new Set(links.map(({ data_id }) => data_id))].sort((a, b) => a - b).map((id, at) => [id, at]),
    );
    const told = links.map(
      ({ process_id, type, label, data_id }) => `${number.get(data_id)} ${type} ${label} of ${process_id}`,
    );
    expect(told.sort()).toEqual([
      ...['0 input start of 1', '0 input x of 2'],
      ...['1 create sum of 2', '1 input x of 3'],
      ...['2 create sum of 3', '2 input x of 4'],
      ...['3 create sum of 4', '3 return total of 1'],
    ]);
  });
});
