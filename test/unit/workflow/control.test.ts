import { randomUUID } from 'node:crypto';
import type { KyselyPlugin } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.js';
import { forceKill } from '../../../src/engine/force-kill.js';
import { sharedLaneOf } from '../../../src/engine/lanes/lane.js';
import { prepareProcess, storeProcess } from '../../../src/engine/lanes/new-process.js';
import { WherryError } from '../../../src/errors.js';
import { calcfunction, defineWorkflow, pause, play, requestKill, z } from '../../../src/index.js';
import type { ProcessDefinition } from '../../../src/process/definition.js';
import type { LifecycleHooks } from '../../../src/process/hooks.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

/** Functions that wait here until the test lets them go on. */
let gates = new Map<string, () => void>();
let entered: string[] = [];
const gate = calcfunction('control.gate', async (name: string) => {
  entered.push(name);
  await new Promise<void>((resolve) => gates.set(name, resolve));
  return name;
});

const Gates = defineWorkflow({
  name: 'control.gates',
  inputs: z.object({ names: z.array(z.string()) }),
  outputs: z.object({ passed: z.array(z.string()) }),
  async run(_ctx, { names }) {
    const passed: string[] = [];
    for (const name of names) passed.push((await gate(name)).value);
    return { passed };
  },
});

/** Waits for children that wait, deeper and deeper. */
const Deep = defineWorkflow({
  name: 'control.deep',
  inputs: z.object({ levels: z.number() }),
  outputs: z.object({}),
  async run(ctx, { levels }): Promise<Record<never, never>> {
    if (levels > 0) await Promise.all([ctx.run(Deep, { levels: levels - 1 }), ctx.run(Deep, { levels: levels - 1 })]);
    else await ctx.sleep(3_600_000);
    return {};
  },
});

let test: TestProfile;
let stop: AbortController;
let engine: Engine;
let driving: Promise<void>;
const begin = (store = test.profile.store, hooks: readonly LifecycleHooks[] = []) => {
  stop = new AbortController();
  engine = new Engine({ ...test.profile, store }, { lease: 5_000, hooks });
  driving = engine.drive({ signal: stop.signal, until: () => false });
};
const end = async () => {
  stop.abort();
  await driving;
  await engine[Symbol.asyncDispose]();
};
beforeEach(async () => {
  gates = new Map();
  entered = [];
  test = await startProfile();
  begin();
});
afterEach(async () => {
  await end();
  await test[Symbol.asyncDispose]();
});

async function submit(definition: ProcessDefinition, given: unknown): Promise<ProcessRow> {
  const uuid = randomUUID();
  const ready = await prepareProcess(test.profile, definition, given, { uuid });
  const place = { parentId: null, lane: sharedLaneOf(uuid), module: null, begun: false };
  return test.profile.store.transaction().execute((transaction) => storeProcess(transaction, ready, place, Date.now()));
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  await expect.poll(isSo, { timeout: 15_000, interval: 10 }).toBe(true);
}

const isEnded = async (id: number) => (await test.row(id)).ended_at !== null;
const rows = () => test.profile.store.selectFrom('processes').selectAll().orderBy('id').execute();
const open = (name: string) => {
  gates.get(name)?.();
  gates.delete(name);
};

describe('a process that is killed by force in the middle of a step', () => {
  it('stays killed, whatever comes of the step (D1, D5)', async () => {
    const row = await submit(gate, { name: 'a' });
    await until(() => entered.length === 1);
    expect((await forceKill(test.profile.store, row.id)).ended).toBe(true);
    const before = await test.row(row.id);
    open('a');
    await until(() => !engine.busy);
    expect(await test.row(row.id)).toEqual(before);
    expect(before).toMatchObject({ state: 'killed', exception: null });
    expect(engine.computerIds).toEqual([]);
  });
});

describe('a paused process', () => {
  it('is killed at once, and holds nobody (D2)', async () => {
    const row = await submit(Gates, { names: ['a', 'b'] });
    await until(() => entered.length === 1);
    await pause(test.profile.store, await test.row(row.id), 'to think');
    open('a');
    await until(async () => (await test.row(2)).state === 'finished');
    await requestKill(test.profile.store, await test.row(row.id), 'enough');
    await until(() => isEnded(row.id));
    expect(await test.row(row.id)).toMatchObject({ state: 'killed', exit_message: 'enough' });
    await until(() => engine.load.steps === 0);
  });

  it('has heard of everything that ended meanwhile when it is played (D3)', async () => {
    const row = await submit(Gates, { names: ['a', 'b'] });
    await until(() => entered.length === 1);
    const paused = pause(test.profile.store, await test.row(row.id), 'to think');
    open('a');
    await paused;
    await until(async () => (await test.row(2)).state === 'finished');
    await until(() => engine.load.steps === 0);
    expect(entered).toEqual(['a']);
    await play(test.profile.store, await test.row(row.id));
    await until(() => gates.has('b'));
    open('b');
    await until(() => isEnded(row.id));
    expect(entered).toEqual(['a', 'b']);
    expect(await test.row(row.id)).toMatchObject({ state: 'finished', exit_status: 0 });
  });

  it('stays paused when another driver takes it over, and goes on from there (D4)', async () => {
    const row = await submit(Gates, { names: ['a', 'b'] });
    await until(() => entered.length === 1);
    await pause(test.profile.store, await test.row(row.id), 'to think');
    open('a');
    await until(async () => (await test.row(2)).state === 'finished');
    await end();
    begin();
    const other = await submit(gate, { name: 'other' });
    await until(() => gates.has('other'));
    open('other');
    await until(() => isEnded(other.id));
    expect(await test.row(row.id)).toMatchObject({ paused: 1, paused_reason: 'to think' });
    await play(test.profile.store, await test.row(row.id));
    await until(() => gates.has('b'));
    open('b');
    await until(() => isEnded(row.id));
    expect(entered).toEqual(['a', 'other', 'b']);
  });
});

describe('who listens to processes', () => {
  it('is known to the program alone: the next one has its own, whatever it has taken over (D6)', async () => {
    const heard: string[] = [];
    const hook = (name: string): LifecycleHooks => ({
      onWaiting: ({ id }) => void heard.push(`${name}: ${id} waits`),
      onKilled: ({ id }) => void heard.push(`${name}: ${id} is killed`),
    });
    await end();
    begin(undefined, [hook('first')]);
    const row = await submit(Deep, { levels: 0 });
    await until(() => heard.length === 1);
    await end();
    begin(undefined, [hook('second')]);
    await requestKill(test.profile.store, await test.row(row.id), 'enough');
    await until(() => isEnded(row.id));
    await until(() => heard.length === 2);
    expect(heard).toEqual([`first: ${row.id} waits`, `second: ${row.id} is killed`]);
  });
});

describe('a workflow whose progress cannot be saved', () => {
  it('begins nothing until it can be, and then does it once (D7)', async () => {
    await end();
    let refusals = 0;
    const plugin: KyselyPlugin = {
      transformQuery: ({ node }) => {
        const isRecord = node.kind === 'InsertQueryNode' && node.into?.table.identifier.name === 'records';
        if (isRecord && refusals < 3) {
          refusals++;
          throw new WherryError('store-failed', 'the disk is full', { transient: true });
        }
        return node;
      },
      transformResult: async ({ result }) => result,
    };
    begin(test.profile.store.withPlugin(plugin));
    const row = await submit(Gates, { names: ['a'] });
    await until(() => refusals === 3);
    await until(() => gates.has('a'));
    open('a');
    await until(() => isEnded(row.id));
    expect(entered).toEqual(['a']);
    expect(await test.row(row.id)).toMatchObject({ state: 'finished', exit_status: 0 });
    expect(await rows()).toHaveLength(2);
  });
});

describe('a workflow that is killed', () => {
  it('takes everything with it that it called, and they that they called', async () => {
    const row = await submit(Deep, { levels: 3 });
    await until(async () => (await rows()).length === 15);
    await requestKill(test.profile.store, await test.row(row.id), 'enough');
    await until(() => isEnded(row.id));
    expect((await rows()).map(({ state }) => state)).toEqual(Array.from({ length: 15 }, () => 'killed'));
  });

  it('ends as soon as a driver comes, when it has none (D9)', async () => {
    const row = await submit(Deep, { levels: 1 });
    await until(async () => (await rows()).length === 3);
    await end();
    expect(await requestKill(test.profile.store, await test.row(row.id), 'nobody is there')).toBe(true);
    begin();
    await until(() => isEnded(row.id));
    expect((await rows()).map(({ state }) => state)).toEqual(['killed', 'killed', 'killed']);
  });
});
