import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.js';
import { pause, play, requestKill } from '../../../src/engine/intents.js';
import { isPostgres } from '../../../src/store/store.js';
import type { ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';
import { FakeTransport, pluginFiles } from './fake-computer.js';

let rig: TestProfile;
let transport: FakeTransport;
let computer: ComputerRow;
let row: ProcessRow;
const driving: { stop(): Promise<void> }[] = [];
beforeEach(async () => {
  rig = await startProfile();
  transport = new FakeTransport();
  computer = await rig.addComputer({
    label: 'fake',
    ...(await pluginFiles(rig.directory, transport)),
    workDirectory: '/w',
    limits: { minPollInterval: 0.02 },
  });
  row = await rig.submit(computer, { command: ['true'] });
});
afterEach(async () => {
  for (const driver of driving.splice(0)) await driver.stop();
  await rig[Symbol.asyncDispose]();
});

const cluster = () => transport.cluster;
const current = () => rig.row(row.id);
const store = () => rig.profile.store;

/** An engine in the background. */
function drive() {
  const engine = new Engine(rig.profile);
  const abort = new AbortController();
  const driven = engine.drive({ signal: abort.signal, until: () => false });
  const driver = {
    async stop() {
      abort.abort();
      await driven;
      await engine[Symbol.asyncDispose]();
    },
  };
  driving.push(driver);
  return driver;
}

const inQueue = () => until(async () => (await current()).stage === 'update', { what: 'the queue', interval: 5 });

describe('a pause', () => {
  it('at the moment when the job ends loses nothing: the process goes on after play (D3)', async () => {
    const driver = drive();
    await inQueue();
    let paused: Promise<unknown> | undefined;
    // The answer that says that the job has ended is on its way when the process is paused.
    cluster().intercept = async (script) => {
      if (!script.startsWith('fake-list') || paused !== undefined) return undefined;
      cluster().finishAll();
      paused = pause(store(), await current(), 'at the wrong moment');
      await paused;
      return undefined;
    };
    await until(async () => (await current()).stage === 'retrieve', { what: 'the end of the job', interval: 5 });
    expect(await current()).toMatchObject({ paused: 1, paused_reason: 'at the wrong moment', ended_at: null });
    await play(store(), await current());
    await until(async () => (await current()).ended_at !== null, { what: 'the end', interval: 5 });
    await driver.stop();
    expect(await current()).toMatchObject({ state: 'finished', exit_status: 0, paused: 0 });
  });

  it('during a step takes effect after it, and the step is not lost', async () => {
    let release: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    cluster().intercept = async (script) => {
      if (script.includes('fake-submit')) await gate;
      return undefined;
    };
    const driver = drive();
    await until(() => cluster().count('fake-submit') === 1, { what: 'the submission', interval: 2 });
    await pause(store(), await current(), 'later');
    release();
    await inQueue();
    await driver.stop();
    expect(await current()).toMatchObject({ paused: 1, job_id: '101', ended_at: null });
    expect(cluster().count('fake-submit')).toBe(1);
  });
});

/** From now on the database has no space for processes that come to this stage. */
async function fillDisk(stage: string): Promise<void> {
  const when = sql`before update of stage on processes`;
  const comes = sql`new.stage = ${sql.lit(stage)}`;
  if (!isPostgres(store())) {
    await sql`create trigger no_space ${when} when ${comes}
      begin select raise(abort, 'database or disk is full'); end`.execute(store());
    return;
  }
  await sql`create function fail() returns trigger language plpgsql as
    $$ begin raise exception 'no space' using errcode = 'disk_full'; end $$`.execute(store());
  await sql`create trigger no_space ${when} for each row when (${comes}) execute function fail()`.execute(store());
}

describe('a step whose outcome cannot be saved', () => {
  it.each(['submit', 'update'])(
    'is not gone on from: nothing happens after the commit that leads to %s, and it is made up for later (D7)',
    async (stage) => {
      await fillDisk(stage);
      drive();
      const failed = await until(
        async () => {
          const now = await current();
          return now.waiting_for !== null && now;
        },
        { what: 'the reason to wait', interval: 5 },
      );
      expect(failed).toMatchObject({ stage: stage === 'submit' ? 'upload' : 'submit', job_id: null, ended_at: null });
      // Nobody's failure but the database's.
      expect(failed).toMatchObject({ attempts: 0, paused: 0, waiting_for: expect.stringContaining('database') });
      expect(failed.due_at).toBeGreaterThan(Date.now());
      expect(cluster().count('fake-submit')).toBe(stage === 'submit' ? 0 : 1);

      await (isPostgres(store()) ? sql`drop trigger no_space on processes` : sql`drop trigger no_space`).execute(
        store(),
      );
      cluster().intercept = (script) => {
        if (script.startsWith('fake-list')) cluster().finishAll();
        return undefined;
      };
      await play(store(), await current());
      await until(async () => (await current()).ended_at !== null, { what: 'the end', interval: 5 });
      expect(await current()).toMatchObject({ state: 'finished', exit_status: 0 });
      expect(cluster().count('fake-submit')).toBe(1);
      expect(cluster().jobs).toHaveLength(1);
    },
  );
});

describe('a kill that nobody can carry out', () => {
  it('waits in the store, and the driver that comes later carries it out (D9)', async () => {
    const driver = drive();
    await inQueue();
    await driver.stop();
    expect(await requestKill(store(), await current(), 'enough')).toBe(true);
    expect(await current()).toMatchObject({ state: 'waiting', kill_reason: 'enough' });
    expect(cluster().count('fake-kill')).toBe(0);
    const [ended] = await rig.drive([row]);
    expect(ended).toMatchObject({ state: 'killed', exit_message: 'enough' });
    expect(cluster().jobs).toMatchObject([{ state: 'cancelled' }]);
  });
});
