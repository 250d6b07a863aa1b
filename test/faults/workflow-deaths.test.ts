import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Chain } from '../../examples/add-on-computer.js';
import { addAndMultiply } from '../../examples/arithmetic.js';
import { NestedWorkflow } from '../../examples/nested-workflow.js';
import { Engine } from '../../src/engine/engine.js';
import { sharedLaneOf } from '../../src/engine/lanes/lane.js';
import { namedData, resultOf } from '../../src/engine/lanes/results.js';
import {
  calcfunction,
  defineRestartWorkflow,
  defineWorkflow,
  ProcessFailed,
  type ProcessResult,
  z,
} from '../../src/index.js';
import { insertProcess } from '../../src/process/create.js';
import type { ProcessDefinition } from '../../src/process/definition.js';
import { checkInputs } from '../../src/process/inputs.js';
import type { ProcessRow } from '../../src/store/tables.js';
import { mortalStore } from '../rigs/mortal-store.js';
import { startProfile, type TestProfile } from '../rigs/profile.js';

/** With a few seeds only every so many queries are tried; with many, all of them. */
const stride = Number(process.env.WHERRY_SEEDS ?? 0) >= 1000 ? 1 : 5;
/** Milliseconds by which the clock of each driver is ahead of the former one's, so that its leases have run out. */
const later = 60_000;

const refuse = calcfunction('deaths.refuse', (x: number) => {
  throw new Error(`${x} is refused`);
});
const double = calcfunction('deaths.double', async (x: number) => x * 2);

/** Does everything that a workflow can do. */
const Everything = defineWorkflow({
  name: 'deaths.everything',
  inputs: z.object({ items: z.array(z.number()) }),
  outputs: z.object({ doubled: z.array(z.number()), early: z.string(), depth: z.number(), refused: z.string() }),
  async run(ctx, { items }) {
    ctx.report(`begun at ${ctx.now()}`);
    const noted = await ctx.step('note', async () => ({ noted: ctx.signal.aborted ? 'late' : 'yes' }));
    ctx.out('early', noted.noted);
    const nested = ctx.submit(NestedWorkflow, { n: 2 });
    const doubled = await ctx.parallel(items, async (item) => (await double(item)).value, { atOnce: 2 });
    await ctx.sleep(1);
    const refused = await refuse(ctx.random()).then(String, (error: unknown) =>
      error instanceof ProcessFailed ? error.result.state : 'something else',
    );
    await Promise.all([ctx.sleep(2), ctx.step('again', () => undefined), double(items.length)]);
    return { doubled, early: noted.noted, depth: (await nested).depth, refused };
  },
});

/** Ends with an exit code, from inside. */
const Exits = defineWorkflow({
  name: 'deaths.exits',
  inputs: z.object({}),
  outputs: z.object({}),
  exitCodes: { TOO_FEW: { status: 401, message: 'there are {count}' } },
  async run(ctx) {
    const { value } = await double(1);
    if (value < 3) ctx.exit('TOO_FEW', { count: value });
    return {};
  },
});

/** Tries again until one is good. */
const Patient = defineRestartWorkflow({
  name: 'deaths.patient',
  of: defineWorkflow({
    name: 'deaths.grow',
    inputs: z.object({ size: z.number() }),
    outputs: z.object({ size: z.number() }),
    exitCodes: { TOO_SMALL: { status: 310, message: 'it is {size}' } },
    async run(ctx, { size }) {
      if (size < 3) ctx.exit('TOO_SMALL', { size });
      return { size };
    },
  }),
  handlers: { larger: { exitCodes: ['TOO_SMALL'], handle: ({ inputs }) => ({ inputs: { size: inputs.size + 1 } }) } },
});

let test: TestProfile;
beforeEach(async () => {
  test = await startProfile();
});
afterEach(() => test[Symbol.asyncDispose]());

async function submit(definition: ProcessDefinition, given: unknown): Promise<ProcessRow> {
  const { store, repository } = test.profile;
  const uuid = randomUUID();
  const inputs = await checkInputs(definition, given, repository);
  const place = { parentId: null, lane: sharedLaneOf(uuid), module: null, fingerprint: null, begun: false };
  return store
    .transaction()
    .execute((transaction) =>
      insertProcess(transaction, { uuid, definition, label: '', description: '', inputs, ...place }, Date.now()),
    );
}

/** Drives until the process has ended, or the driver has died. @returns how many queries it made */
async function drive(row: ProcessRow, life: number, queries: number): Promise<number> {
  const death = new AbortController();
  const { store, asked } = mortalStore(test.profile.store, queries, () => death.abort());
  const engine = new Engine({ ...test.profile, store }, { now: () => Date.now() + life * later });
  try {
    const ended = async () => (await test.row(row.id)).ended_at !== null;
    await engine.drive({ signal: AbortSignal.any([death.signal, AbortSignal.timeout(20_000)]), until: ended });
  } catch (error) {
    if (!death.signal.aborted) throw error;
  } finally {
    await engine[Symbol.asyncDispose]().catch(() => undefined);
  }
  return asked();
}

async function endOf(row: ProcessRow): Promise<Pick<ProcessResult, 'state' | 'exit' | 'outputs'>> {
  const { store, repository } = test.profile;
  const outputs = await namedData(store, (sha256) => repository.locate(sha256), row.id, 'outputs');
  const { state, exit, outputs: values } = resultOf(await test.row(row.id), outputs);
  return { state, exit, outputs: values };
}

/** Name, parent by name, state and inputs of everything that a process called, in an order of their own. */
async function tree(root: ProcessRow): Promise<string[]> {
  const rows = await test.profile.store.selectFrom('processes').selectAll().where('id', '>=', root.id).execute();
  const parent = (row: ProcessRow) => rows.find(({ id }) => id === row.parent_id)?.name ?? 'none';
  return rows.map((row) => `${row.name} of ${parent(row)}: ${row.state} ${row.exit_status}`).sort();
}

describe.each<[string, ProcessDefinition, unknown, number, number?]>([
  // What a calcjob does on its computer takes its time, and has tests of its own: here is how it comes there and back.
  ['a workflow that calls a calcjob', Chain, { n: 1 }, 2, 4],
  ['a workfunction', addAndMultiply, { x: 1, y: 2, z: 3 }, 3],
  ['nested workflows', NestedWorkflow, { n: 3 }, 4],
  ['a workflow that does everything', Everything, { items: [1, 2, 3] }, 9],
  ['a workflow that exits', Exits, {}, 2],
  ['a workflow that tries again', Patient, { size: 1 }, 4],
])('%s', (_name, definition, inputs, processes, sparsely = 1) => {
  it('ends the same wherever its driver dies, and calls nothing twice', async () => {
    const undisturbed = await submit(definition, inputs);
    const queries = await drive(undisturbed, 0, Number.POSITIVE_INFINITY);
    const expected = await endOf(undisturbed);
    const calls = await tree(undisturbed);
    expect(calls).toHaveLength(processes);
    expect(expected.state).toBe('finished');
    expect(queries).toBeGreaterThan(20);
    let life = 1;
    let deaths = 0;
    for (let death = 1; death < queries; death += stride === 1 ? 1 : stride * sparsely) {
      const row = await submit(definition, inputs);
      await drive(row, life++, death);
      if ((await test.row(row.id)).ended_at === null) deaths++;
      await drive(row, life++, Number.POSITIVE_INFINITY);
      expect(await endOf(row), `death at query ${death}`).toEqual(expected);
      expect(await tree(row), `death at query ${death}`).toEqual(calls);
    }
    expect(deaths).toBeGreaterThan(3);
  }, 120_000);
});
