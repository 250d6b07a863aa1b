import { randomUUID } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jobDirectory } from '../../../src/calcjob/job-directory.js';
import { Engine } from '../../../src/engine/engine.js';
import { sharedLaneOf } from '../../../src/engine/lanes/lane.js';
import { processDetails } from '../../../src/engine/views.js';
import { defineCalcJob, defineRestartWorkflow, defineWorkflow, Runner, run, Transfer, z } from '../../../src/index.js';
import { insertProcess as insertNew } from '../../../src/process/create.js';
import type { ProcessDefinition } from '../../../src/process/definition.js';
import { checkInputs } from '../../../src/process/inputs.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { mortalStore } from '../../rigs/mortal-store.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';
import { insertProcess } from '../process/stored-process.js';

const Print = defineCalcJob({
  name: 'restart-clean.print',
  inputs: z.object({ size: z.number() }),
  outputs: z.object({ size: z.number() }),
  exitCodes: { TOO_SMALL: { status: 310, message: 'it is {size}' } },
  prepare: ({ inputs }) => ({ command: ['echo', String(inputs.size)], retrieve: ['stdout.txt'] }),
  async parse({ retrieved, exit }) {
    const size = Number(await retrieved.text('stdout.txt'));
    return size < 2 ? exit('TOO_SMALL', { size }) : { size };
  },
});

/** Calls a calcjob, and brings files of its directory as if others had made it. */
const Nested = defineWorkflow({
  name: 'restart-clean.nested',
  inputs: z.object({ size: z.number() }),
  outputs: z.object({ size: z.number() }),
  exitCodes: { TOO_SMALL: { status: 310, message: 'it is {size}' } },
  async run(ctx, { size }) {
    const { ok, data, outputs } = await ctx.submit(Print, { size }).result();
    await ctx.run(Transfer, { source: data.remoteFolder as never, files: ['stdout.txt'] });
    if (!ok) ctx.exit('TOO_SMALL', { size });
    return { size: outputs.size };
  },
});

const Larger = defineRestartWorkflow({
  name: 'restart-clean.larger',
  of: Nested,
  handlers: {
    larger: {
      exitCodes: ['TOO_SMALL'],
      handle: ({ inputs }) => (inputs.size < 0 ? undefined : { inputs: { size: inputs.size + 1 } }),
    },
  },
});

/** Calls nothing on a computer. */
const Grow = defineRestartWorkflow({
  name: 'restart-clean.grow',
  of: defineWorkflow({
    name: 'restart-clean.one',
    inputs: z.object({ size: z.number() }),
    outputs: z.object({ size: z.number() }),
    exitCodes: { TOO_SMALL: { status: 310, message: 'it is {size}' } },
    async run(ctx, { size }) {
      if (size < 2) ctx.exit('TOO_SMALL', { size });
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

const store = () => test.profile.store;
const exists = (row: Pick<ProcessRow, 'remote_directory'>) =>
  lstat(row.remote_directory ?? '').then(
    () => true,
    () => false,
  );
const named = (name: string): Promise<ProcessRow[]> =>
  store().selectFrom('processes').selectAll().where('name', '=', name).orderBy('id').execute();
const cleanings = () => store().selectFrom('cleanings').selectAll().orderBy('process_id').execute();

describe('a workflow that tries again', () => {
  let runner: Runner;
  beforeEach(async () => {
    runner = await Runner.open({ home: test.profile.location.home });
  });
  afterEach(() => runner[Symbol.asyncDispose]());

  it('removes the work directories of everything below it when it has ended well, if that is asked for', async () => {
    expect(await run(Larger, { size: 1, restart: { cleanWorkDirectories: true } })).toEqual({ size: 2 });
    const [workflow] = await named('restart-clean.larger');
    const isDone = async () => (await cleanings()).every(({ due_at }) => due_at === null);
    await until(isDone, { what: 'the removal', timeout: 20_000 });
    const tries = await named('restart-clean.print');
    expect(tries).toHaveLength(2);
    // The files that were transferred belong to others, for all that is known: it asks for no removal of these.
    expect((await cleanings()).map(({ process_id }) => process_id)).toEqual(tries.map(({ id }) => id));
    for (const row of tries) {
      expect(await exists(row)).toBe(false);
      expect(row).toMatchObject({ state: 'finished' });
      expect(await test.eventTypes(row.id)).toEqual(
        expect.arrayContaining(['process.clean-requested', 'process.cleaned']),
      );
    }
    expect(workflow).toMatchObject({ state: 'finished', exit_status: 0 });
    const [transferred] = await named('transfer');
    if (transferred === undefined) throw new Error('nothing was transferred');
    const { inputs } = (await processDetails(store(), transferred)).data;
    const gone = `the work directory of process ${tries[0]?.id} was removed at`;
    expect(inputs).toMatchObject([
      { label: 'files', gone: null },
      { label: 'source', gone: expect.stringContaining(gone) },
    ]);
  });

  it.each<[string, number, boolean]>([
    ['has failed', -5, true],
    ['is not asked to', 2, false],
  ])('leaves them when it %s', async (_what, size, cleanWorkDirectories) => {
    const ended = run(Larger, { size, ...(cleanWorkDirectories ? { restart: { cleanWorkDirectories } } : {}) });
    await ended.catch(() => undefined);
    const rows = await named('restart-clean.print');
    expect(rows).toHaveLength(1);
    for (const row of rows) expect(await exists(row)).toBe(true);
    expect(await cleanings()).toEqual([]);
    const [workflow] = await named('restart-clean.larger');
    expect(workflow?.exit_status).toBe(cleanWorkDirectories ? 402 : 0);
  });

  it('may not take over what it would be given of a directory that was removed', async () => {
    const call = () => run(Nested, { size: 2 });
    const Cached = defineWorkflow({
      name: `restart-clean.cached-${randomUUID()}`,
      inputs: z.object({}),
      outputs: z.object({}),
      async run(ctx) {
        await ctx.submit(Print, { size: 7 }, { cache: true }).result();
        return {};
      },
    });
    await call();
    for (const _ of [1, 2]) await run(Cached, {});
    const [, first, second] = await named('restart-clean.print');
    expect([first?.cached_from, second?.cached_from]).toEqual([null, first?.id]);
    const wish = { process_id: first?.id ?? 0, computer_id: first?.computer_id ?? 0, requested_at: 1, cleaned_at: 2 };
    await store().insertInto('cleanings').values(wish).execute();
    await run(Cached, {});
    const [, , , third] = await named('restart-clean.print');
    expect(third?.cached_from).toBeNull();
    await run(Cached, {});
    expect((await named('restart-clean.print')).at(-1)?.cached_from).toBe(third?.id);
  });
});

describe('the wish to remove', () => {
  const later = 60_000;

  async function submit(definition: ProcessDefinition, given: unknown): Promise<ProcessRow> {
    const uuid = randomUUID();
    const inputs = await checkInputs(definition, given, test.profile.repository);
    const place = { parentId: null, lane: sharedLaneOf(uuid), module: null, fingerprint: null, begun: false };
    const about = { uuid, definition, label: '', description: '', inputs };
    return store()
      .transaction()
      .execute((transaction) => insertNew(transaction, { ...about, ...place }, Date.now()));
  }

  /** Drives lanes, and no computer, until the process has ended or the driver has died. @returns how many queries it made */
  async function live(row: ProcessRow, life: number, queries: number): Promise<number> {
    const death = new AbortController();
    const mortal = mortalStore(store(), queries, () => death.abort());
    const engine = new Engine({ ...test.profile, store: mortal.store }, { now: () => Date.now() + life * later });
    const signal = AbortSignal.any([death.signal, AbortSignal.timeout(20_000)]);
    try {
      const until = async () => (await test.row(row.id)).ended_at !== null;
      await engine.drive({ signal, computers: [], until });
    } catch (error) {
      if (!death.signal.aborted) throw error;
    } finally {
      await engine[Symbol.asyncDispose]().catch(() => undefined);
    }
    return mortal.asked();
  }

  it('is there if and only if the workflow has ended well, wherever its driver dies', async () => {
    const workDirectory = path.join(test.directory, 'work');
    const computer = await test.addComputer({ label: 'here', transport: 'local', scheduler: 'direct', workDirectory });
    /** Begins one that has called a calcjob, which has ended. */
    const begin = async () => {
      const root = await submit(Grow as unknown as ProcessDefinition, {
        size: 1,
        restart: { cleanWorkDirectories: true },
      });
      const ended = { state: 'finished', stage: null, due_at: null, ended_at: 1, exit_status: 0 };
      const child = await insertProcess(store(), { parent_id: root.id, computer_id: computer.id, ...ended });
      const remote_directory = jobDirectory(workDirectory, child.uuid);
      await mkdir(remote_directory, { recursive: true });
      await store().updateTable('processes').set({ remote_directory }).where('id', '=', child.id).execute();
      return { root, child: await test.row(child.id) };
    };
    const asked = async (child: ProcessRow) => (await cleanings()).filter(({ process_id }) => process_id === child.id);
    const undisturbed = await begin();
    const queries = await live(undisturbed.root, 0, Number.POSITIVE_INFINITY);
    expect(await asked(undisturbed.child)).toHaveLength(1);
    let deaths = 0;
    for (let death = 3, life = 1; death < queries; death += 4) {
      const { root, child } = await begin();
      await live(root, life++, death);
      const isEnded = (await test.row(root.id)).ended_at !== null;
      if (!isEnded) deaths++;
      expect(await asked(child), `death at query ${death}`).toHaveLength(isEnded ? 1 : 0);
      await live(root, life++, Number.POSITIVE_INFINITY);
      expect(await asked(child), `death at query ${death}`).toMatchObject([{ requested_by: root.id }]);
      expect(await test.eventTypes(child.id)).toEqual(['process.clean-requested']);
      expect(await exists(child)).toBe(true);
    }
    expect(deaths).toBeGreaterThan(3);
  }, 60_000);
});
