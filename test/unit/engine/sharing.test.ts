import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.js';
import { openProfile, type Profile } from '../../../src/engine/profile.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';
import { FakeTransport, pluginFiles } from './fake-computer.js';

let rig: TestProfile;
let other: Profile;
let transports: FakeTransport[];
const running: { stop(): Promise<void> }[] = [];

/** Two computers, each with a job that is in its queue for an hour once it was submitted. */
beforeEach(async () => {
  rig = await startProfile();
  other = await openProfile({ home: rig.profile.location.home });
  transports = [new FakeTransport(), new FakeTransport()];
  for (const [index, transport] of transports.entries()) {
    const directory = path.join(rig.directory, `plugins-${index}`);
    await mkdir(directory);
    const computer = await rig.addComputer({
      label: `fake-${index}`,
      ...(await pluginFiles(directory, transport)),
      workDirectory: '/w',
      limits: { minPollInterval: 3_600 },
    });
    await rig.submit(computer, { command: ['true'] });
  }
});
afterEach(async () => {
  for (const engine of running.splice(0)) await engine.stop();
  await other[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

/** An engine in the background that believes in so many workers. */
function drive(profile: Profile, workers: () => number): void {
  const engine = new Engine(profile, { workers });
  const abort = new AbortController();
  const driven = engine.drive({ signal: abort.signal, until: () => false });
  running.push({
    async stop() {
      abort.abort();
      await driven;
      await engine[Symbol.asyncDispose]();
    },
  });
}

/** How many computers each driver holds, the busiest first. */
async function shares(): Promise<number[]> {
  const rows = await rig.profile.store.selectFrom('leases').select('owner').where('owner', '!=', '').execute();
  const counts = new Map<string, number>();
  for (const { owner } of rows) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  return [...counts.values()].sort((one, another) => another - one);
}

const submitted = () => transports.every(({ cluster }) => cluster.jobs.length === 1);

describe('two workers and two computers', () => {
  it('share them, whoever wakes up first', async () => {
    drive(rig.profile, () => 2);
    await until(async () => (await shares())[0] === 1, { what: 'the first computer of the first', interval: 5 });
    drive(other, () => 2);
    await until(submitted, { what: 'both submissions', interval: 5 });
    expect(await shares()).toEqual([1, 1]);
  });

  it('are all driven by one where the other does not come', async () => {
    drive(rig.profile, () => 2);
    await until(submitted, { what: 'both submissions', interval: 5 });
    expect(await shares()).toEqual([2]);
  });

  it('are shared anew when another worker comes, once a connection has closed by itself', async () => {
    let workers = 1;
    drive(rig.profile, () => workers);
    await until(async () => submitted() && (await shares())[0] === 2, { what: 'both with one', interval: 5 });
    workers = 2;
    drive(other, () => 2);
    expect(await shares()).toEqual([2]);
    // A listing that was under way may open it again.
    const closed = () => transports[0]?.cluster.connections.map(({ lose }) => lose());
    await until(async () => closed() && (await shares()).join() === '1,1', { what: 'one each', interval: 50 });
    expect(transports.map(({ cluster }) => cluster.count('fake-submit'))).toEqual([1, 1]);
  });
});
