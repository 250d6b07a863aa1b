import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { disableComputer, drainComputer, enableComputer, getComputer } from '../../../src/engine/computers.js';
import { Engine } from '../../../src/engine/engine.js';
import { explain } from '../../../src/engine/explain.js';
import { siteLimitOf } from '../../../src/engine/site-limit.js';
import { WherryError } from '../../../src/errors.js';
import type { ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';
import { FakeTransport, pluginFiles } from './fake-computer.js';

describe('the limits of a computer', () => {
  let rig: TestProfile;
  let transport: FakeTransport;
  let computer: ComputerRow;
  let plugins: { transport: string; scheduler: string };
  const open: AsyncDisposable[] = [];

  beforeEach(async () => {
    rig = await startProfile();
    transport = new FakeTransport();
    plugins = await pluginFiles(rig.directory, transport);
    computer = await rig.addComputer({
      label: 'fake',
      ...plugins,
      workDirectory: '/w',
      limits: { minPollInterval: 0.02 },
    });
  });
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
    await rig[Symbol.asyncDispose]();
  });

  const cluster = () => transport.cluster;
  const submit = (count: number, label = ''): Promise<ProcessRow[]> =>
    inOrder(count, () => rig.submit(computer, { command: ['true'], label }));
  const alive = () =>
    cluster().jobs.filter(({ state }) => state === 'queued' || state === 'running' || state === 'held');
  const store = () => rig.profile.store;
  const stored = () => getComputer(store(), 'fake');
  /** As `computer edit` does: a driver finds it in the store. */
  const setLimits = (limits: Record<string, unknown>) =>
    store()
      .updateTable('computers')
      .set({ config: JSON.stringify({ ...JSON.parse(computer.config), limits: { minPollInterval: 20, ...limits } }) })
      .where('id', '=', computer.id)
      .execute();
  function drive(): void {
    const abort = new AbortController();
    const engine = new Engine(rig.profile, { random: () => 0.5 });
    const driven = engine.drive({ signal: abort.signal, until: () => false });
    open.push({
      async [Symbol.asyncDispose]() {
        abort.abort();
        await driven;
        await engine[Symbol.asyncDispose]();
      },
    });
  }
  const ended = async () =>
    (await store().selectFrom('processes').select('id').where('ended_at', 'is not', null).execute()).length;
  const look = { interval: 5 };
  /** Several listings more, so that whatever was going to happen has happened. */
  async function someListings(): Promise<void> {
    const before = cluster().count('fake-list');
    await until(() => cluster().count('fake-list') > before + 3, { what: 'more listings', ...look });
  }
  async function waitsFor(words: string): Promise<void> {
    await until(async () => (await stored()).throttle?.includes(words), { what: `a throttle by ${words}`, ...look });
  }

  it('take effect at once, also while work is in progress', async () => {
    await setLimits({ maxQueued: 1 });
    await submit(6);
    drive();
    await waitsFor('maxQueued');
    await until(() => alive().length === 1, { what: 'the first job', ...look });
    await setLimits({ maxQueued: 4 });
    await until(() => alive().length === 4, { what: 'four jobs', ...look });
    await setLimits({ maxQueued: 2 });
    cluster().finishAll();
    await until(() => cluster().jobs.length === 6, { what: 'the last two', ...look });
    expect(alive()).toHaveLength(2);
    expect(transport.opened).toHaveLength(1);
  });

  it('hold for running jobs, where those that are held do not count', async () => {
    await setLimits({ maxRunning: 2 });
    await submit(4);
    drive();
    await waitsFor('maxRunning');
    await someListings();
    expect(alive()).toHaveLength(2);
    for (const job of cluster().jobs) job.state = 'held';
    await until(() => alive().length === 4, { what: 'two more', ...look });
  });

  it('count what others have there, from a listing that is no older than it has to be', async () => {
    for (const name of ['by-hand', 'wherry-9-ffff'])
      cluster().jobs.push({ id: name, name, state: 'running', listed: true });
    cluster().jobs.push({ id: '9', name: 'over', state: 'done', listed: true });
    await setLimits({ maxQueued: 3, countForeignJobs: true });
    const rows = await submit(4);
    drive();
    await waitsFor('2 of them not ours');
    await someListings();
    expect(alive()).toHaveLength(3);
    const [, second] = rows;
    const told = await explain(store(), await rig.row(second?.id ?? 0));
    expect(told.waitingFor).toContain('maxQueued');
    for (const job of cluster().jobs.slice(0, 2)) job.state = 'done';
    await until(() => alive().length === 3, { what: 'our three', ...look });
    cluster().finishAll();
    await until(async () => (await ended()) >= 3, { what: 'their ends', ...look });
  });

  it('of the site are a wait with its words, by one that asks again after a growing time', async () => {
    cluster().reply = { code: 1, stdout: 'limit', stderr: 'QOSMaxSubmitJobPerUserLimit' };
    const rows = await submit(1);
    drive();
    await waitsFor('QOSMaxSubmitJobPerUserLimit');
    rows.push(...(await submit(2)));
    const stages = async () => Promise.all(rows.map(async ({ id }) => (await rig.row(id)).stage));
    await until(async () => (await stages()).every((stage) => stage === 'submit'), { what: 'the others', ...look });
    const asked = cluster().count('fake-submit');
    expect(asked).toBe(1);
    const limit = siteLimitOf(await stored());
    expect(limit).toMatchObject({ message: expect.stringContaining('QOSMax'), refusals: 1 });
    expect((limit?.after ?? 0) - (limit?.since ?? 0)).toBe(30_000);
    const told = await explain(store(), await rig.row(rows[2]?.id ?? 0));
    expect(told).toMatchObject({ waitingFor: expect.stringContaining('QOSMax'), nextAt: iso(limit?.after) });
    for (const row of rows) expect(await rig.row(row.id)).toMatchObject({ paused: 0, attempts: 0, stage: 'submit' });
    // The time is over: one is sent to ask, and is refused again.
    await store()
      .updateTable('computers')
      .set({ site_limit: JSON.stringify({ ...limit, after: 1 }) })
      .execute();
    await until(async () => siteLimitOf(await stored())?.refusals === 2, { what: 'a second refusal', ...look });
    expect(cluster().count('fake-submit')).toBe(asked + 1);
    const second = siteLimitOf(await stored());
    expect((second?.after ?? 0) - Date.now()).toBeGreaterThan(50_000);
    cluster().reply = { code: 0 };
    await store()
      .updateTable('computers')
      .set({ site_limit: JSON.stringify({ ...second, after: 1 }) })
      .execute();
    await until(() => alive().length === 3, { what: 'all three', ...look });
    // Written down after the answer has come.
    await until(async () => (await stored()).site_limit === null, { what: 'the end of the limit', ...look });
  });

  it('of the site let as many in again as have ended', async () => {
    const most = 2;
    await setLimits({ minPollInterval: 0.02, maxChannels: 16 });
    let asked = 0;
    let askAll: () => void = () => undefined;
    const allAsked = new Promise<void>((resolve) => {
      askAll = resolve;
    });
    cluster().intercept = async (script) => {
      if (!script.includes('fake-submit')) return undefined;
      asked += 1;
      if (asked === 6) askAll();
      // However slow the store is, all of them are under way before the first is answered.
      await allAsked;
      return undefined;
    };
    /** How many jobs stood there at each answer. */
    const standing: number[] = [];
    Object.defineProperty(cluster(), 'reply', {
      get: () => {
        standing.push(alive().length);
        return alive().length < most ? { code: 0 } : { code: 1, stdout: 'limit', stderr: 'the most' };
      },
    });
    const rows = await submit(6);
    drive();
    await waitsFor('the most');
    for (const count of [2, 4, 6]) {
      await until(() => alive().length === 2 && cluster().jobs.length === count, { what: `job ${count}`, ...look });
      await someListings();
      cluster().finishAll();
    }
    await until(async () => (await ended()) === 6, { what: 'all ends', ...look });
    // Six at once met the limit of two; nobody was refused after that.
    expect(standing.filter((count) => count >= most)).toHaveLength(4);
    for (const row of rows)
      expect(await rig.row(row.id)).toMatchObject({ state: 'finished', exception: null, exit_status: 0 });
  });

  it('let labels take turns, whoever came first with how many', async () => {
    // One at a time, so that the first comes first.
    await setLimits({ maxQueued: 1, maxChannels: 1 });
    await submit(4, 'many');
    await submit(2, 'few');
    const waiting = { isUploaded: false };
    cluster().intercept = (script) => {
      if (script.startsWith('fake-list') && waiting.isUploaded) cluster().finishAll();
      return undefined;
    };
    drive();
    const uploading = () => store().selectFrom('processes').select('id').where('stage', '=', 'upload').execute();
    await until(async () => (await uploading()).length === 0, { what: 'that all can be submitted', ...look });
    waiting.isUploaded = true;
    await until(async () => (await ended()) === 6, { what: 'all ends', ...look });
    const order = await store()
      .selectFrom('submissions')
      .innerJoin('processes', 'processes.id', 'submissions.process_id')
      .select('processes.label')
      .orderBy('submissions.id')
      .execute();
    expect(order.map(({ label }) => label)).toEqual(['many', 'few', 'many', 'few', 'many', 'many']);
    // Who has waited for nothing gets no credit for it.
    const [late] = await submit(1, 'few');
    expect(late?.turn).toBe((await stored()).turn + 1);
  });

  it('of pools hold across computers', async () => {
    const other = await rig.addComputer({
      label: 'other',
      ...plugins,
      workDirectory: '/w',
      limits: { minPollInterval: 0.02, pools: { licence: 2 } },
    });
    await setLimits({ pools: { licence: 2 } });
    await submit(3);
    await inOrder(3, () => rig.submit(other, { command: ['true'] }));
    drive();
    await waitsFor('licence');
    await someListings();
    expect(alive()).toHaveLength(2);
    cluster().intercept = (script) => {
      expect(alive().length).toBeLessThanOrEqual(2);
      if (script.startsWith('fake-list')) cluster().finishAll();
      return undefined;
    };
    await until(async () => (await ended()) === 6, { what: 'all ends', ...look });
  });
});

describe('a computer', () => {
  let rig: TestProfile;
  let transport: FakeTransport;
  let computer: ComputerRow;
  beforeEach(async () => {
    rig = await startProfile();
    transport = new FakeTransport();
    const plugins = await pluginFiles(rig.directory, transport);
    computer = await rig.addComputer({
      label: 'fake',
      ...plugins,
      workDirectory: '/w',
      limits: { minPollInterval: 0.02 },
    });
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  const store = () => rig.profile.store;
  const stored = () => getComputer(store(), 'fake');
  const cluster = () => transport.cluster;
  const pass = async () => {
    await using engine = new Engine(rig.profile);
    await engine.pass(AbortSignal.timeout(10_000));
  };

  it('that is drained finishes what it has and takes nothing new, until it is enabled', async () => {
    const first = await rig.submit(computer, { command: ['true'] });
    await pass();
    expect(await rig.row(first.id)).toMatchObject({ stage: 'update' });
    const second = await rig.submit(computer, { command: ['true'] });
    await drainComputer(store(), await stored());
    cluster().finishAll();
    await rig.drive([first]);
    await pass();
    expect(await rig.row(second.id)).toMatchObject({ stage: 'upload', attempts: 0 });
    expect(await explain(store(), await rig.row(second.id))).toMatchObject({
      waitingFor: expect.stringContaining('drained'),
      next: expect.stringContaining('wherry computer enable fake'),
      nextAt: null,
    });
    await enableComputer(store(), await stored());
    await pass();
    expect(await rig.row(second.id)).toMatchObject({ stage: 'update' });
    expect(await rig.eventTypes(null)).toEqual(expect.arrayContaining(['computer.draining', 'computer.released']));
  });

  it('that is drained still settles a submission that is not known', async () => {
    const row = await rig.submit(computer, { command: ['true'] });
    cluster().intercept = async (script, options) => {
      if (!script.includes('fake-submit')) return undefined;
      cluster().intercept = () => undefined;
      await cluster().connect().exec(script, options);
      cluster().connections[0]?.lose();
      throw new WherryError('connection-lost', 'the line broke', { transient: true });
    };
    await pass();
    expect(await rig.row(row.id)).toMatchObject({ stage: 'submit', waiting_for: expect.stringContaining('unknown') });
    await drainComputer(store(), await stored());
    await store().updateTable('processes').set({ due_at: 1 }).execute();
    await pass();
    expect(await rig.row(row.id)).toMatchObject({ stage: 'update' });
    expect(cluster().jobs).toHaveLength(1);
  });

  it('that is disabled is sent nothing at all, its connection is closed, and no test of it changes that', async () => {
    const row = await rig.submit(computer, { command: ['true'] });
    await using engine = new Engine(rig.profile);
    const abort = new AbortController();
    const driven = engine.drive({ signal: abort.signal, until: () => false });
    try {
      await until(async () => (await rig.row(row.id)).stage === 'update', { what: 'the job', interval: 5 });
      await disableComputer(store(), await stored());
      await until(() => cluster().connections.every(({ closed }) => closed), { what: 'a closed line', interval: 5 });
      const commands = cluster().commands.length;
      const more = await rig.submit(computer, { command: ['true'] });
      await until(async () => (await stored()).hold !== null, { what: 'the hold', interval: 5 });
      expect(await explain(store(), await rig.row(more.id))).toMatchObject({
        waitingFor: expect.stringContaining('disabled'),
        next: expect.stringContaining('wherry computer enable fake'),
      });
      expect(cluster().commands).toHaveLength(commands);
      expect(transport.opened).toHaveLength(1);
      await enableComputer(store(), await stored());
      await until(async () => (await rig.row(more.id)).stage === 'update', { what: 'the second job', interval: 5 });
    } finally {
      abort.abort();
      await driven;
    }
  });
});

async function inOrder<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) made.push(await make());
  return made;
}

function iso(time: number | undefined): string {
  return new Date(time ?? 0).toISOString();
}
