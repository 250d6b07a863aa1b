import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.js';
import { forceKill } from '../../../src/engine/force-kill.js';
import { pause, requestKill } from '../../../src/engine/intents.js';
import type { ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';
import { FakeTransport, pluginFiles } from './fake-computer.js';

let rig: TestProfile;
let transport: FakeTransport;
let computer: ComputerRow;
let row: ProcessRow;
beforeEach(async () => {
  rig = await startProfile();
  transport = new FakeTransport();
  computer = await rig.addComputer({
    label: 'fake',
    ...(await pluginFiles(rig.directory, transport)),
    workDirectory: '/w',
    limits: { minPollInterval: 0.05 },
  });
  row = await rig.submit(computer, { command: ['true'] });
});
afterEach(() => rig[Symbol.asyncDispose]());

const cluster = () => transport.cluster;
const current = () => rig.row(row.id);
const ended = async () => (await current()).ended_at !== null;
const store = () => rig.profile.store;

/** An engine in the background. */
function drive(): { stop(): Promise<void> } {
  const engine = new Engine(rig.profile);
  const abort = new AbortController();
  const driven = engine.drive({ signal: abort.signal, until: () => false });
  return {
    async stop() {
      abort.abort();
      await driven;
      await engine[Symbol.asyncDispose]();
    },
  };
}

/** Keeps the next command with this word back, after the cluster has carried it out or before. */
function hold(word: string, when: 'before' | 'after') {
  let arrived = false;
  let release: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  cluster().intercept = async (script) => {
    if (arrived || !script.includes(word)) return undefined;
    arrived = true;
    if (when === 'after') {
      const name = /fake-submit '?([\w.-]+)/.exec(script)?.[1] ?? '';
      cluster().jobs.push({ id: '500', name, state: 'queued', listed: true });
    }
    await gate;
    return when === 'after' ? { stdout: '', stderr: '', exitCode: 255, signal: null, durationMs: 1 } : undefined;
  };
  return { release, arrived: () => until(() => arrived, { what: word, interval: 2 }) };
}

describe('a kill by force', () => {
  it('needs no driver, and leaves nothing of a process that was never submitted', async () => {
    await requestKill(store(), row, 'enough');
    expect(await forceKill(store(), row.id)).toEqual({ ended: true, left: undefined });
    expect(await current()).toMatchObject({ state: 'killed', exit_message: 'enough', due_at: null, stage: null });
    expect(await forceKill(store(), row.id)).toEqual({ ended: false });
    expect(await rig.eventTypes(row.id)).toContain('process.report');
  });

  it('names the job that may live on', async () => {
    const driver = drive();
    await until(async () => (await current()).stage === 'update', { what: 'the queue', interval: 5 });
    await driver.stop();
    const { left } = await forceKill(store(), row.id);
    const [submission] = await store().selectFrom('submissions').selectAll().execute();
    const { remote_directory } = await current();
    expect(left).toEqual({
      jobId: '101',
      jobName: submission?.job_name,
      computer: 'fake',
      directory: remote_directory,
      command: undefined,
    });
  });

  it('in the middle of a submission stays killed whatever comes later (D1), and tells of a job without id', async () => {
    const held = hold('fake-submit', 'before');
    const driver = drive();
    await held.arrived();
    const { left } = await forceKill(store(), row.id);
    expect(left).toMatchObject({ jobId: null, jobName: expect.stringContaining('wherry-') });
    const killed = await current();
    const events = await rig.eventTypes(row.id);
    held.release();
    await until(() => cluster().jobs.length === 1, { what: 'the job that comes too late', interval: 2 });
    await driver.stop();
    expect(await current()).toEqual(killed);
    expect((await rig.eventTypes(row.id)).filter((type) => type === 'process.state')).toHaveLength(
      events.filter((type) => type === 'process.state').length,
    );
    expect(killed).toMatchObject({ state: 'killed', exception: null });
  });

  it('before the intent of a submission keeps the driver from submitting at all', async () => {
    // The row is changed behind the driver's back, in the place where it is about to be submitted.
    const nonce = () => {
      void store()
        .updateTable('processes')
        .set({ state: 'killed', stage: null, ended_at: Date.now(), due_at: null })
        .execute();
      return '0123456789';
    };
    await rig.drive([row], { nonce });
    expect(cluster().count('fake-submit')).toBe(0);
    expect(await store().selectFrom('submissions').selectAll().execute()).toEqual([]);
    expect(await current()).toMatchObject({ state: 'killed', exception: null });
  });

  it('is not turned into an exception by a defect that shows later, and the driver goes on (D5)', async () => {
    let fail: () => void = () => undefined;
    cluster().intercept = (script) => {
      if (!script.includes('fake-submit')) return undefined;
      return new Promise((_, reject) => {
        fail = () => reject(new TypeError('a defect'));
      });
    };
    const driver = drive();
    await until(() => cluster().count('fake-submit') === 1, { what: 'the submission', interval: 2 });
    await forceKill(store(), row.id);
    const killed = await current();
    cluster().intercept = (script) => {
      if (script.startsWith('fake-list')) cluster().finishAll();
      return undefined;
    };
    fail();
    const next = await rig.submit(computer, { command: ['true'] });
    await until(async () => (await rig.row(next.id)).ended_at !== null, { what: 'the end of another', interval: 5 });
    await driver.stop();
    expect(await current()).toEqual(killed);
    expect(killed).toMatchObject({ state: 'killed', exception: null });
    expect(transport.opened).toHaveLength(1);
  });
});

describe('a kill without force', () => {
  it.each(['upload', 'submit'])('in the middle of %s leaves no job behind', async (stage) => {
    const held = stage === 'submit' ? hold('fake-submit', 'after') : undefined;
    const driver = drive();
    if (held === undefined)
      await until(() => cluster().connections.length > 0, { what: 'the connection', interval: 1 });
    else await held.arrived();
    await requestKill(store(), await current(), 'enough');
    held?.release();
    await until(ended, { what: 'the end', interval: 5 });
    await driver.stop();
    expect(await current()).toMatchObject({ state: 'killed', exit_message: 'enough' });
    expect(cluster().jobs.filter(({ state }) => state !== 'cancelled')).toEqual([]);
    expect(cluster().jobs).toHaveLength(stage === 'submit' ? 1 : 0);
  });

  it('of a paused process wakes its driver, and nothing of it is left to do (D2)', async () => {
    const driver = drive();
    await until(async () => (await current()).stage === 'update', { what: 'the queue', interval: 5 });
    await pause(store(), await current(), 'later');
    await requestKill(store(), await current(), 'enough');
    await until(ended, { what: 'the end', interval: 5 });
    cluster().connections[0]?.lose();
    const lease = () => store().selectFrom('leases').selectAll().executeTakeFirstOrThrow();
    await until(async () => (await lease()).owner === '', { what: 'the lease to be given back' });
    await driver.stop();
    expect(await current()).toMatchObject({ state: 'killed', paused: 0 });
  });
});
