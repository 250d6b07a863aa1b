import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Runner, run } from '../../../src/engine/control/runner.js';
import { play, requestKill } from '../../../src/engine/intents.js';
import { calcfunction, defineWorkflow, z } from '../../../src/index.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';

let test: TestProfile;
let runner: Runner;
let calls: string[] = [];
beforeEach(async () => {
  calls = [];
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterEach(async () => {
  await runner[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

const half = calcfunction('pause.half', (x: number) => {
  calls.push(`half of ${x}`);
  return x / 2;
});

const Careful = defineWorkflow({
  name: 'pause.careful',
  inputs: z.object({ x: z.number() }),
  outputs: z.object({ x: z.number() }),
  async run(ctx, { x }) {
    const beside = ctx.submit(half, { x: x + 1 });
    const one = await ctx.run(half, { x });
    await ctx.pause('is that right?');
    calls.push('goes on');
    const other = await ctx.run(half, { x: Number(one.result) });
    await ctx.pause('and that?');
    return { x: Number(other.result) + Number((await beside).result) };
  },
});

async function isPaused(reason: string): Promise<boolean> {
  const rows = await test.profile.store.selectFrom('processes').selectAll().where('id', '=', 1).execute();
  return rows.some(({ paused, paused_reason }) => paused === 1 && paused_reason === reason);
}

describe('a workflow that pauses itself', () => {
  it('goes on from there when it is played, and calls nothing again', async () => {
    const { store } = test.profile;
    const ended = run(Careful, { x: 8 });
    await until(() => isPaused('is that right?'), { what: 'the first pause' });
    expect(calls).not.toContain('goes on');
    await play(store, await test.row(1));
    await until(() => isPaused('and that?'), { what: 'the second pause' });
    await play(store, await test.row(1));
    expect(await ended).toEqual({ x: 6.5 });
    expect(calls.filter((call) => call !== 'goes on').sort()).toEqual(['half of 4', 'half of 8', 'half of 9']);
    const events = (await test.eventTypes(1)).filter((type) => /paused|played/.test(type));
    expect(events).toEqual(['process.paused', 'process.played', 'process.paused', 'process.played']);
  });

  it('can be killed', async () => {
    const ended = run(Careful, { x: 8 });
    ended.catch(() => undefined);
    await until(() => isPaused('is that right?'), { what: 'the pause' });
    await requestKill(test.profile.store, await test.row(1), 'no');
    await expect(ended).rejects.toThrow('is killed: no');
  });
});

/** Somebody wants it killed while it is written that it waits. */
const Doomed = defineWorkflow({
  name: 'pause.doomed',
  inputs: z.object({}),
  outputs: z.object({}),
  async run(ctx) {
    await ctx.step('killed', async () => {
      await requestKill(test.profile.store, await test.row(1), 'enough');
    });
    await ctx.sleep(3_600_000);
    return {};
  },
});

it('a kill that comes while a workflow is being written is not forgotten', async () => {
  await expect(run(Doomed, {})).rejects.toThrow('is killed: enough');
});
