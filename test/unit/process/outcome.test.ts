import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Runner, run } from '../../../src/engine/control/runner.js';
import { namespace } from '../../../src/process/namespace.js';
import { defineWorkflow } from '../../../src/workflow/define-workflow.js';
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

const outputs = z.object({
  sum: z.number(),
  note: z.string().optional(),
  steps: namespace({}, { dynamic: namespace({ energy: z.number() }) }),
});

/** Gives whatever it is told to, and emits some of it early. */
const Giving = defineWorkflow({
  name: 'outcome.giving',
  inputs: z.object({ value: z.any(), early: z.record(z.string(), z.any()).default({}) }),
  outputs,
  async run(ctx, { value, early }) {
    for (const [label, output] of Object.entries(early)) ctx.out(label, output);
    return value as { sum: number };
  },
});

const Meddling = defineWorkflow({
  name: 'outcome.meddling',
  inputs: z.object({ deep: namespace({ list: z.array(z.number()) }) }),
  outputs: z.object({}),
  async run(_ctx, { deep }) {
    deep.list.push(1);
    return {};
  },
});

/** Runs it, and gives how it ended and the labels of its outputs. */
async function outcome(inputs: object): Promise<Record<string, unknown>> {
  await run(Giving, inputs as { value: unknown }).catch(() => undefined);
  const { store } = test.profile;
  const row = await store.selectFrom('processes').selectAll().orderBy('id', 'desc').limit(1).executeTakeFirstOrThrow();
  const links = await store
    .selectFrom('links')
    .innerJoin('data', 'data.id', 'links.data_id')
    .select(['label', 'content'])
    .where('process_id', '=', row.id)
    .where('links.type', '!=', 'input')
    .orderBy('label')
    .execute();
  const stored = Object.fromEntries(links.map(({ label, content }) => [label, JSON.parse(content)]));
  const { state, exit_status: status, exit_label: label, exit_message: message, exception } = row;
  return { state, status, label, message, exception, stored };
}

describe('a process', () => {
  it('that gives its outputs, some of them early and nested, is finished', async () => {
    const inputs = {
      value: { sum: 1, steps: { two: { energy: 2 } } },
      early: { 'steps.one.energy': 1, note: 'early' },
    };
    expect(await outcome(inputs)).toMatchObject({
      state: 'finished',
      status: 0,
      stored: { sum: 1, note: 'early', 'steps.one.energy': 1, 'steps.two.energy': 2 },
    });
  });

  it('that lacks an output, or gives an invalid one, is finished and not successful; the others are stored', async () => {
    expect(await outcome({ value: { note: 5, steps: { one: { energy: 1 } } } })).toMatchObject({
      state: 'finished',
      status: 10,
      label: 'INVALID_OUTPUT',
      message: expect.stringMatching(/sum: is missing.*note: must be text/),
      stored: { 'steps.one.energy': 1 },
    });
  });

  it('that gives an output which was never declared is excepted', async () => {
    expect(await outcome({ value: { sum: 1, smu: 2 } })).toMatchObject({
      state: 'excepted',
      exception: expect.stringContaining('smu: is not declared'),
    });
  });

  it.each([
    ['other', 1, 'is not declared'],
    ['sum', 'text', 'must be a number'],
    ['steps.one', {}, 'steps.one.energy: is missing'],
  ])('that emits %s as %j is excepted', async (label, value, message) => {
    expect(await outcome({ value: { sum: 1 }, early: { [label]: value } })).toMatchObject({
      state: 'excepted',
      exception: expect.stringContaining(message),
    });
  });

  it('cannot change its inputs, at any level', async () => {
    await expect(run(Meddling, { deep: { list: [] } })).rejects.toThrow(/not extensible/);
  });
});
