import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.js';
import { sharedLaneOf } from '../../../src/engine/lanes/lane.js';
import { prepareProcess, storeProcess } from '../../../src/engine/lanes/new-process.js';
import { calcfunction, defineWorkflow, play, z } from '../../../src/index.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

/** The workflow takes the way that stands here, as if its author had changed it. */
type Way = 'first' | 'other step' | 'other inputs' | 'shorter' | 'other version';
let way = 'first' as Way;
const number = calcfunction('changed.number', (x: number) => x);

const Changing = defineWorkflow({
  name: 'changed.workflow',
  inputs: z.object({}),
  outputs: z.object({ x: z.number() }),
  async run(ctx) {
    if (way === 'other step') await ctx.step('something new', () => 1);
    const x = await number(way === 'other inputs' ? 2 : 1);
    if (way === 'shorter') return { x: x.value };
    await ctx.sleep(3_600_000);
    return { x: x.value };
  },
});

function take(other: Way): void {
  way = other;
  Object.assign(Changing, { version: other === 'other version' ? 2 : 1 });
}

let test: TestProfile;
beforeEach(async () => {
  take('first');
  test = await startProfile();
});
afterEach(() => test[Symbol.asyncDispose]());

async function drive(row: ProcessRow, isSo: (now: ProcessRow) => boolean, later = 0): Promise<ProcessRow> {
  await using engine = new Engine(test.profile, { now: () => Date.now() + later });
  await engine.drive({
    signal: AbortSignal.timeout(15_000),
    until: async () => isSo(await test.row(row.id)),
  });
  return test.row(row.id);
}

it.each<[Way, RegExp]>([
  ['other step', /where its record has a call of changed\.number \(number 1\), the workflow now makes the step/],
  ['other inputs', /where its record has a call of changed\.number \(number 1\), the workflow now makes a call of/],
  ['other version', /was begun with version 1 of changed\.workflow, which now has version 2/],
  ['shorter', /where its record has a sleep \(number 3\), the workflow now ends/],
])('stops when it was changed (%s), and goes on when the former definition is back', async (changed, words) => {
  const uuid = randomUUID();
  const ready = await prepareProcess(test.profile, Changing, {}, { uuid });
  const place = { parentId: null, lane: sharedLaneOf(uuid), module: null, begun: false };
  const row = await test.profile.store
    .transaction()
    .execute((transaction) => storeProcess(transaction, ready, place, Date.now()));
  expect(await drive(row, ({ state }) => state === 'waiting')).toMatchObject({ state: 'waiting' });
  take(changed);
  const later = 3_700_000;
  const stopped = await drive(row, ({ paused }) => paused !== 0, later);
  expect(stopped.paused_reason).toMatch(words);
  expect(stopped.ended_at).toBeNull();
  take('first');
  await play(test.profile.store, stopped);
  const ended = await drive(row, ({ ended_at }) => ended_at !== null, 2 * later);
  expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
  expect(await test.profile.store.selectFrom('processes').select('id').execute()).toHaveLength(2);
});
