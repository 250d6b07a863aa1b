import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.js';
import { pause, requestKill } from '../../../src/engine/intents.js';
import { openProfile, type Profile } from '../../../src/engine/profile.js';
import { computerNames, lineColumns, lineOf } from '../../../src/engine/views.js';
import { WherryError } from '../../../src/errors.js';
import { claimLease } from '../../../src/store/leases.js';
import type { ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';
import { FakeTransport, pluginFiles } from './fake-computer.js';

describe('the engine', () => {
  let rig: TestProfile;
  let transport: FakeTransport;
  let computer: ComputerRow;
  const open: AsyncDisposable[] = [];

  beforeEach(async () => {
    rig = await startProfile();
    transport = new FakeTransport();
    computer = await rig.addComputer({
      label: 'fake',
      ...(await pluginFiles(rig.directory, transport)),
      workDirectory: '/w',
      limits: { minPollInterval: 0.02, maxChannels: 8 },
    });
  });
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
    await rig[Symbol.asyncDispose]();
  });

  const cluster = () => transport.cluster;
  const submit = (count: number): Promise<ProcessRow[]> =>
    Promise.all(Array.from({ length: count }, () => rig.submit(computer, { command: ['true'] })));
  /** Jobs are done as soon as they are asked about. */
  function finishQuickly(): void {
    cluster().intercept = (script) => {
      if (script.startsWith('fake-list')) cluster().finishAll();
      return undefined;
    };
  }
  const endedCount = async (profile: Profile = rig.profile) =>
    (await profile.store.selectFrom('processes').select('id').where('ended_at', 'is not', null).execute()).length;

  /** Drives in the background until the test has seen what it wants. */
  function driving(profile: Profile, engine = new Engine(profile)) {
    const abort = new AbortController();
    const driven = engine.drive({ signal: abort.signal, until: () => false });
    const stop = async () => {
      abort.abort();
      await driven;
      await engine[Symbol.asyncDispose]();
    };
    open.push({ [Symbol.asyncDispose]: stop });
    return { engine, stop };
  }

  it('brings many jobs to their end over one connection', async () => {
    finishQuickly();
    const rows = await rig.drive(await submit(25));
    for (const row of rows) expect(row).toMatchObject({ state: 'finished', exit_status: 0, due_at: null });
    expect(transport.opened).toHaveLength(1);
    expect(cluster().count('fake-submit')).toBe(25);
    expect(new Set(cluster().jobs.map(({ name }) => name)).size).toBe(25);
  });

  it('speaks to a computer from one of two at a time, and every job is submitted once', async () => {
    const other = await openProfile({ home: rig.profile.location.directory.replace(/\/[^/]*\/[^/]*$/, '') });
    open.push(other);
    let connectionsAtOnce = 0;
    cluster().intercept = (script) => {
      connectionsAtOnce = Math.max(connectionsAtOnce, cluster().connections.filter(({ closed }) => !closed).length);
      if (script.startsWith('fake-list')) cluster().finishAll();
      return undefined;
    };
    const rows = await submit(10);
    const [one, two] = [driving(rig.profile), driving(other)];
    // Whoever finds the computer taken tells so as long as there is work.
    const listeners = new Set<typeof one>();
    await until(
      async () => {
        for (const each of [one, two]) if (each.engine.foreignDrivers.length > 0) listeners.add(each);
        return listeners.size > 0 && (await endedCount(other)) === 10;
      },
      { what: 'the first ten jobs', interval: 2 },
    );
    expect(listeners.size).toBe(1);
    // The one that speaks ends; the other goes on with the rest.
    const [speaker, listener] = listeners.has(one) ? [two, one] : [one, two];
    await speaker.stop();
    rows.push(...(await submit(10)));
    await until(async () => (await endedCount()) === 20, { what: 'the other ten jobs', interval: 5 });
    await listener.stop();
    expect(connectionsAtOnce).toBe(1);
    expect(transport.opened).toHaveLength(2);
    expect(cluster().count('fake-submit')).toBe(20);
    for (const { id } of rows) expect(await rig.row(id)).toMatchObject({ state: 'finished', exit_status: 0 });
  });

  it('stops at once and writes nothing more when another driver has taken over', async () => {
    const [row] = await submit(1);
    const running = driving(rig.profile);
    await until(() => cluster().jobs.length === 1, { what: 'the submission', interval: 5 });
    await until(async () => (await rig.row(row?.id ?? 0)).stage === 'update', { what: 'its row', interval: 5 });
    const name = `computer:${computer.id}`;
    const lease = await claimLease(rig.profile.store, name, 'other', Date.now() + 3_600_000, 3_600_000);
    expect(lease).toMatchObject({ epoch: 2 });
    cluster().finishAll();
    await until(() => cluster().connections[0]?.closed, { what: 'the end of the driver', interval: 5 });
    expect(await rig.row(row?.id ?? 0)).toMatchObject({ state: 'waiting', stage: 'update' });
    expect(await claimLease(rig.profile.store, name, 'third', Date.now(), 1)).toBeUndefined();
    await running.stop();
  });

  it('goes on where another driver was stopped in the middle of a submission', async () => {
    const [row] = await submit(1);
    let submitted = false;
    cluster().intercept = (script) => {
      if (!script.includes('fake-submit') || submitted) return undefined;
      submitted = true;
      return new Promise((_resolve, reject) => {
        const { id, name } = { id: '500', name: /fake-submit '?([\w.-]+)/.exec(script)?.[1] ?? '' };
        cluster().jobs.push({ id, name, state: 'queued', listed: true });
        setTimeout(() => reject(new WherryError('aborted', 'stopped')), 10);
      });
    };
    const first = driving(rig.profile);
    await until(() => submitted, { what: 'the submission', interval: 2 });
    await first.stop();
    expect(await rig.row(row?.id ?? 0)).toMatchObject({ stage: 'submit', attempts: 0, paused: 0 });
    finishQuickly();
    const [ended] = await rig.drive([row ?? ({} as ProcessRow)]);
    expect(ended).toMatchObject({ state: 'finished', job_id: '500', exit_status: 0 });
    expect(cluster().count('fake-submit')).toBe(1);
  });

  it('ends the other jobs of a listing when one process has a state that cannot be read', async () => {
    const rows = await submit(4);
    const running = driving(rig.profile);
    const inQueue = () =>
      rig.profile.store.selectFrom('processes').select('id').where('stage', '=', 'update').execute();
    await until(async () => (await inQueue()).length === 4, { what: 'four jobs in the queue', interval: 5 });
    await running.stop();
    const damaged = rows[0]?.id ?? 0;
    await rig.profile.store.updateTable('processes').set({ checkpoint: '{' }).where('id', '=', damaged).execute();
    finishQuickly();
    const ended = await rig.drive(rows);
    expect(ended.map(({ state }) => state)).toEqual(['excepted', 'finished', 'finished', 'finished']);
    expect(JSON.parse(ended[0]?.exception ?? '')).toMatchObject({ code: 'checkpoint-unreadable' });
  });

  it('kills a paused process whose job runs', async () => {
    const [row] = await submit(1);
    const running = driving(rig.profile);
    await until(async () => (await rig.row(row?.id ?? 0)).stage === 'update', { what: 'the queue', interval: 5 });
    const current = await rig.row(row?.id ?? 0);
    await pause(rig.profile.store, current, 'later');
    await requestKill(rig.profile.store, current, 'enough');
    const ended = await until(
      async () => {
        const now = await rig.row(current.id);
        return now.ended_at !== null && now;
      },
      { what: 'the end', interval: 5 },
    );
    expect(ended).toMatchObject({ state: 'killed', exit_message: 'enough', paused: 0 });
    expect(cluster().jobs).toMatchObject([{ state: 'cancelled' }]);
    await running.stop();
  });

  it('kills at once what was never sent, without a connection', async () => {
    const [row] = await submit(1);
    await requestKill(rig.profile.store, row ?? ({} as ProcessRow), 'enough');
    transport.onOpen = async () => {
      throw new WherryError('connection-failed', 'down', { transient: true });
    };
    const [ended] = await rig.drive([row ?? ({} as ProcessRow)]);
    expect(ended).toMatchObject({ state: 'killed' });
    expect(transport.opened).toEqual([]);
  });

  it('does not hammer a scheduler that refuses to cancel', async () => {
    const [row] = await submit(1);
    const running = driving(rig.profile);
    await until(async () => (await rig.row(row?.id ?? 0)).stage === 'update', { what: 'the queue', interval: 5 });
    cluster().intercept = (script) =>
      script.startsWith('fake-kill')
        ? { stdout: '', stderr: 'not allowed', exitCode: 1, signal: null, durationMs: 1 }
        : undefined;
    await requestKill(rig.profile.store, await rig.row(row?.id ?? 0), 'enough');
    await until(() => cluster().count('fake-kill') > 0, { what: 'the cancel', interval: 5 });
    const listings = cluster().count('fake-list');
    await until(() => cluster().count('fake-list') > listings + 10, { what: 'ten more listings', interval: 5 });
    expect(cluster().count('fake-kill')).toBe(1);
    expect(await rig.row(row?.id ?? 0)).toMatchObject({ state: 'waiting', paused: 0, attempts: expect.any(Number) });
    await running.stop();
  });

  it('uses up no attempt while the computer cannot be reached, and tries it once for all', async () => {
    const rows = await submit(10);
    transport.onOpen = async () => {
      throw new WherryError('connection-failed', 'down', { transient: true });
    };
    const running = driving(rig.profile);
    const failed = () =>
      rig.profile.store.selectFrom('computers').select('open_after').where('open_after', '>', 0).execute();
    await until(async () => (await failed()).length > 0, { what: 'the failed opening', interval: 5 });
    await running.stop();
    expect(transport.opened).toHaveLength(1);
    for (const { id } of rows) expect(await rig.row(id)).toMatchObject({ attempts: 0, paused: 0, state: 'created' });
    transport.onOpen = () => undefined;
    finishQuickly();
    await rig.profile.store.updateTable('computers').set({ open_after: null }).execute();
    for (const row of await rig.drive(rows)) expect(row).toMatchObject({ state: 'finished' });
  });

  it('holds a computer whose plugin is missing, once, and drives the others', async () => {
    const broken = await rig.addComputer({
      label: 'broken',
      transport: `${rig.directory}/none.mjs`,
      scheduler: 'direct',
      workDirectory: '/w',
    });
    const stuck = await rig.submit(broken, { command: ['true'] });
    finishQuickly();
    const [ended] = await rig.drive(await submit(1));
    expect(ended).toMatchObject({ state: 'finished' });
    const held = await rig.profile.store
      .selectFrom('computers')
      .select('hold')
      .where('id', '=', broken.id)
      .executeTakeFirstOrThrow();
    expect(JSON.parse(held.hold ?? '')).toMatchObject({ code: 'plugin-missing' });
    expect(await rig.row(stuck.id)).toMatchObject({ state: 'created', attempts: 0, ended_at: null });
    expect((await rig.eventTypes(null)).filter((type) => type === 'computer.held')).toHaveLength(1);
  });

  it('submits no more than the limit allows, and says what the others wait for', async () => {
    await rig.profile.store
      .updateTable('computers')
      .set({
        config: JSON.stringify({ ...JSON.parse(computer.config), limits: { maxQueued: 2, minPollInterval: 20 } }),
      })
      .where('id', '=', computer.id)
      .execute();
    await submit(5);
    const running = driving(rig.profile);
    const waiting = await until(
      async () => {
        const rows = await rig.profile.store
          .selectFrom('processes')
          .select(lineColumns)
          .where('stage', '=', 'submit')
          .execute();
        const computers = await computerNames(rig.profile.store);
        const lines = rows.map((row) => lineOf(row, computers)).filter(({ waitingFor }) => waitingFor !== null);
        return lines.length === 3 && lines;
      },
      { what: 'three that wait', interval: 5 },
    );
    expect(waiting.every(({ waitingFor }) => waitingFor?.includes('maxQueued'))).toBe(true);
    await until(() => cluster().jobs.length === 2, { what: 'the two that are allowed', interval: 5 });
    const listings = cluster().count('fake-list');
    await until(() => cluster().count('fake-list') > listings + 2, { what: 'more listings', interval: 5 });
    expect(cluster().jobs).toHaveLength(2);
    finishQuickly();
    await until(async () => (await endedCount()) === 5, { what: 'all five', interval: 5 });
    expect(cluster().count('fake-submit')).toBe(5);
    await running.stop();
  });

  it('is not disturbed by a hook that throws', async () => {
    finishQuickly();
    const warnings: string[] = [];
    const listener = (warning: Error) => void warnings.push(warning.message);
    process.on('warning', listener);
    const hooks = [
      {
        onChange: () => {
          throw new Error('hook');
        },
      },
    ];
    const [ended] = await rig.drive(await submit(1), { hooks });
    expect(ended).toMatchObject({ state: 'finished' });
    await until(() => warnings.some((text) => text.includes('hook')), { what: 'the warning' });
    process.off('warning', listener);
  });

  it('ends one pass when everything that is due was done', async () => {
    const [row] = await submit(1);
    await using engine = new Engine(rig.profile);
    await rig.profile.store
      .updateTable('computers')
      .set({ config: JSON.stringify({ ...JSON.parse(computer.config), limits: { minPollInterval: 60_000 } }) })
      .where('id', '=', computer.id)
      .execute();
    await engine.pass(AbortSignal.timeout(10_000));
    expect(await rig.row(row?.id ?? 0)).toMatchObject({ stage: 'update', job_id: '101' });
    expect(cluster().count('fake-list')).toBe(1);
  });
});
