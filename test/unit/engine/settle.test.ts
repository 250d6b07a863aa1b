import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine, type EngineOptions } from '../../../src/engine/engine.js';
import type { ComputerRow, LeaseRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';
import { FakeTransport, pluginFiles } from './fake-computer.js';

let rig: TestProfile;
let transport: FakeTransport;
let computer: ComputerRow;
beforeEach(async () => {
  rig = await startProfile();
  transport = new FakeTransport();
  computer = await rig.addComputer({
    label: 'fake',
    ...(await pluginFiles(rig.directory, transport)),
    workDirectory: '/w',
    limits: { minPollInterval: 60, maxChannels: 2 },
  });
});
afterEach(() => rig[Symbol.asyncDispose]());

const cluster = () => transport.cluster;
const lease = (): Promise<LeaseRow | undefined> =>
  rig.profile.store.selectFrom('leases').selectAll().executeTakeFirst();
const submissions = () => rig.profile.store.selectFrom('submissions').selectAll().execute();

/** Keeps back the replies of all submissions until `release`; the scheduler has the jobs meanwhile. */
function slowSubmissions() {
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  cluster().intercept = async (script, { signal }) => {
    if (!script.includes('fake-submit')) return undefined;
    const aborted = new Promise<never>((_, reject) =>
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true }),
    );
    await Promise.race([gate, aborted]);
    return undefined;
  };
  return { release };
}

/** An engine that has been told to stop while two of its five submissions are with the scheduler. */
async function stoppedInTheMiddle(options: EngineOptions = {}) {
  const slow = slowSubmissions();
  const rows = await Promise.all(Array.from({ length: 5 }, () => rig.submit(computer, { command: ['true'] })));
  const engine = new Engine(rig.profile, options);
  const stop = new AbortController();
  const driven = engine.drive({ signal: stop.signal, until: () => false });
  await until(() => cluster().count('fake-submit') === 2, { what: 'two submissions', interval: 5 });
  stop.abort();
  await driven;
  return { engine, rows, slow };
}

describe('an engine that settles', () => {
  it('lets submissions in progress end, starts none that waits for its turn, and gives everything back', async () => {
    const { engine, rows, slow } = await stoppedInTheMiddle();
    const settled = engine.settle(AbortSignal.timeout(10_000));
    slow.release();
    await settled;
    expect(engine.busy).toBe(false);
    expect((await submissions()).map(({ outcome }) => outcome)).toEqual(['accepted', 'accepted']);
    expect(await lease()).toMatchObject({ owner: '' });
    expect(cluster().connections.map(({ closed }) => closed)).toEqual([true]);
    const stages = await Promise.all(rows.map(async ({ id }) => (await rig.row(id)).stage));
    expect(stages.sort()).toEqual(['submit', 'submit', 'submit', 'update', 'update']);
    for (const { id } of rows) expect(await rig.row(id)).toMatchObject({ attempts: 0, paused: 0, last_error: null });
    await engine[Symbol.asyncDispose]();
    expect(cluster().count('fake-submit')).toBe(2);
  });

  it('renews its leases meanwhile', async () => {
    const { engine, slow } = await stoppedInTheMiddle({ lease: 1_600 });
    const settled = engine.settle(AbortSignal.timeout(10_000));
    const before = await lease();
    const renewed = await until(
      async () => {
        const now = await lease();
        return (now?.expires_at ?? 0) > (before?.expires_at ?? 0) + 1_600 && now;
      },
      { what: 'a lease that outlives its first end', interval: 5 },
    );
    expect(renewed).toMatchObject({ owner: before?.owner, epoch: before?.epoch });
    slow.release();
    await settled;
    await engine[Symbol.asyncDispose]();
  });

  it('leaves what takes too long to its end, which aborts it', async () => {
    const { engine } = await stoppedInTheMiddle();
    await engine.settle(AbortSignal.timeout(50));
    expect(engine.busy).toBe(true);
    expect((await lease())?.owner).not.toBe('');
    await engine[Symbol.asyncDispose]();
    expect((await submissions()).map(({ outcome }) => outcome)).toEqual(['intended', 'intended']);
    expect(await lease()).toMatchObject({ owner: '' });
  });

  it('waits for no connection that is still being opened', async () => {
    transport.onOpen = ({ signal }) =>
      new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason), { once: true }));
    const row = await rig.submit(computer, { command: ['true'] });
    const engine = new Engine(rig.profile);
    const stop = new AbortController();
    const driven = engine.drive({ signal: stop.signal, until: () => false });
    await until(() => transport.opened.length === 1, { what: 'the opening', interval: 5 });
    stop.abort();
    await driven;
    await engine.settle(AbortSignal.timeout(10_000));
    expect(engine.busy).toBe(false);
    expect(await lease()).toMatchObject({ owner: '' });
    expect(await rig.row(row.id)).toMatchObject({ state: 'created', attempts: 0 });
    await engine[Symbol.asyncDispose]();
  });
});

describe('an engine without work', () => {
  it('gives the computer back as soon as its connection is closed', async () => {
    cluster().intercept = (script) => {
      if (script.startsWith('fake-list')) cluster().finishAll();
      return undefined;
    };
    const { id } = await rig.submit(computer, { command: ['true'] });
    const engine = new Engine(rig.profile);
    const stop = new AbortController();
    const driven = engine.drive({ signal: stop.signal, until: () => false });
    await until(async () => (await rig.row(id)).ended_at !== null, { what: 'the end of the job', interval: 5 });
    expect((await lease())?.owner).not.toBe('');
    cluster().connections[0]?.lose();
    await until(async () => (await lease())?.owner === '', { what: 'a free lease' });
    stop.abort();
    await driven;
    await engine[Symbol.asyncDispose]();
  });
});
