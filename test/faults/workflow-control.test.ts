import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { KyselyPlugin } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine.js';
import { forceKill } from '../../src/engine/force-kill.js';
import { sharedLaneOf } from '../../src/engine/lanes/lane.js';
import { prepareProcess, storeProcess } from '../../src/engine/lanes/new-process.js';
import { namedData, resultOf } from '../../src/engine/lanes/results.js';
import { WherryError } from '../../src/errors.js';
import { calcfunction, defineWorkflow, pause, play, requestKill, z } from '../../src/index.js';
import type { EventData } from '../../src/store/events.js';
import { eventsOf } from '../../src/store/events.js';
import type { Store } from '../../src/store/store.js';
import type { ProcessRow } from '../../src/store/tables.js';
import { startProfile, type TestProfile } from '../rigs/profile.js';

const runs = Math.max(6, Math.min(400, Number(process.env.WHERRY_SEEDS ?? 0) / 20));

const twice = calcfunction('interleaved.twice', async (x: number) => x * 2);

const Inner = defineWorkflow({
  name: 'interleaved.inner',
  inputs: z.object({ x: z.number() }),
  outputs: z.object({ y: z.number() }),
  async run(ctx, { x }) {
    await ctx.sleep(1);
    return { y: (await twice(x)).value };
  },
});

const Outer = defineWorkflow({
  name: 'interleaved.outer',
  inputs: z.object({}),
  outputs: z.object({ sum: z.number() }),
  async run(ctx) {
    const handles = [1, 2, 3].map((x) => ctx.submit(Inner, { x }));
    const noted = await ctx.step('note', () => 1);
    let sum = noted;
    for (const handle of handles) sum += (await handle).y;
    sum += (await twice(sum)).value;
    return { sum };
  },
});
/** 1 + 2 + 4 + 6 = 13, and twice that. */
const expected = { sum: 39 };

type Act = 'pause' | 'play' | 'kill' | 'force' | 'crash';
interface Planned {
  /** The number of the query at which it happens. */
  readonly at: number;
  readonly act: Act;
  /** Of the processes that live then, by their place among them. */
  readonly whom: number;
}

const plans = fc.array(
  fc.record({
    at: fc.integer({ min: 1, max: 500 }),
    act: fc.oneof(
      { weight: 4, arbitrary: fc.constant<Act>('pause') },
      { weight: 4, arbitrary: fc.constant<Act>('play') },
      { weight: 1, arbitrary: fc.constant<Act>('kill') },
      { weight: 1, arbitrary: fc.constant<Act>('force') },
      { weight: 4, arbitrary: fc.constant<Act>('crash') },
    ),
    whom: fc.nat(3),
  }),
  { minLength: 1, maxLength: 8 },
);

let test: TestProfile;
let life = 0;
beforeAll(async () => {
  test = await startProfile();
});
afterAll(() => test[Symbol.asyncDispose]());

async function submit(): Promise<ProcessRow> {
  const uuid = randomUUID();
  const ready = await prepareProcess(test.profile, Outer, {}, { uuid });
  const place = { parentId: null, lane: sharedLaneOf(uuid), module: null, begun: false };
  return test.profile.store.transaction().execute((transaction) => storeProcess(transaction, ready, place, Date.now()));
}

/** Everything that belongs to a process, itself first. */
async function familyOf(root: ProcessRow): Promise<ProcessRow[]> {
  return test.profile.store.selectFrom('processes').selectAll().where('id', '>=', root.id).orderBy('id').execute();
}

/** Plays a plan while one driver after another works, and lets what is left go on to its end. */
async function playPlan(root: ProcessRow, plan: readonly Planned[]): Promise<void> {
  const { store } = test.profile;
  const acts = [...plan].sort((one, other) => one.at - other.at);
  const doing: Promise<unknown>[] = [];
  /** How rows were when they were first seen to have ended. */
  const ended = new Map<number, ProcessRow>();
  let asked = 0;
  const act = async ({ act: what, whom }: Planned) => {
    const family = await familyOf(root);
    for (const row of family) if (row.ended_at !== null && !ended.has(row.id)) ended.set(row.id, row);
    const living = family.filter(({ ended_at }) => ended_at === null);
    const row = living[whom % Math.max(1, living.length)];
    if (row === undefined) return;
    if (what === 'pause') await pause(store, row, 'by the plan');
    else if (what === 'play') await play(store, row);
    else if (what === 'kill') await requestKill(store, row, 'by the plan');
    else await forceKill(store, row.id);
  };
  for (let left = true; left; ) {
    const death = new AbortController();
    const mortal = watched(store, () => {
      asked++;
      for (let next = acts[0]; next !== undefined && next.at <= asked; next = acts[0]) {
        acts.shift();
        if (next.act === 'crash') death.abort();
        else doing.push(act(next));
      }
      if (death.signal.aborted) throw new WherryError('store-failed', 'the driver is dead');
    });
    life++;
    const now = life * 60_000;
    const engine = new Engine({ ...test.profile, store: mortal }, { now: () => Date.now() + now });
    let quiet = 0;
    const isOver = async () => {
      const family = await familyOf(root);
      if (family.every(({ ended_at }) => ended_at !== null)) return true;
      // Nothing goes on by itself any more: whoever paused it plays it.
      quiet = family.some((row) => row.paused !== 0) && !engine.busy ? quiet + 1 : 0;
      if (quiet > 5) for (const row of family) if (row.paused !== 0) await play(store, row);
      return false;
    };
    try {
      await engine.drive({ signal: AbortSignal.any([death.signal, AbortSignal.timeout(20_000)]), until: isOver });
    } catch (error) {
      if (!death.signal.aborted) throw error;
    } finally {
      await engine[Symbol.asyncDispose]().catch(() => undefined);
    }
    left = death.signal.aborted;
  }
  await Promise.all(doing);
  for (const [id, row] of ended) expect(await test.row(id), `process ${id} had ended`).toEqual(row);
}

function watched(store: Store, onQuery: () => void): Store {
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => {
      onQuery();
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  return store.withPlugin(plugin);
}

async function check(root: ProcessRow, plan: readonly Planned[]): Promise<void> {
  const family = await familyOf(root);
  for (const row of family) {
    const states = (await eventsOf(test.profile.store, row.id))
      .filter(({ type }) => type === 'process.state')
      .map(({ data }) => JSON.parse(data) as EventData['process.state']);
    let state = 'created';
    for (const { from, to } of states) {
      expect(from).toBe(state);
      state = to;
    }
    expect(state).toBe(row.state);
  }
  const isKilled = plan.some(({ act }) => act === 'kill' || act === 'force');
  const [first] = family;
  if (first === undefined || (isKilled && first.state !== 'finished')) return;
  const { store, repository } = test.profile;
  const outputs = await namedData(store, (sha256) => repository.locate(sha256), root.id, 'outputs');
  expect(resultOf(first, outputs)).toMatchObject({ state: 'finished', outputs: expected });
  expect(family).toHaveLength(8);
}

it('loses nothing and does nothing twice, whatever is paused, played, killed, or crashes in any order', async () => {
  await fc.assert(
    fc.asyncProperty(plans, async (plan) => {
      const root = await submit();
      await playPlan(root, plan);
      await check(root, plan);
    }),
    { numRuns: runs, endOnFailure: true },
  );
}, 600_000);
