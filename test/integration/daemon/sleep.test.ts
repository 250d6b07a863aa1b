import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';

let rig: TestProfile;
let child: ChildProcess | undefined;
beforeEach(async () => {
  rig = await startProfile();
});
afterEach(async () => {
  if (child !== undefined && child.exitCode === null && child.signalCode === null) {
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }
  await rig[Symbol.asyncDispose]();
});

/** The scheduler direct, which puts the sleeping driver to sleep in the middle of a submission. */
async function sleepyScheduler(): Promise<string> {
  const direct = pathToFileURL(path.resolve('dist/schedulers/direct/index.js')).href;
  const file = path.join(rig.directory, 'sleepy.mjs');
  const text = `import direct from ${JSON.stringify(direct)};
export default { ...direct, name: 'sleepy', submit: (request) => {
  globalThis.wherryTestSleep?.();
  return direct.submit(request);
} };
`;
  await writeFile(file, text);
  return file;
}

const isStopped = async (pid: number) =>
  (await readFile(`/proc/${pid}/stat`, 'latin1')).split(') ').at(-1)?.startsWith('T') === true;

describe('a driver that sleeps between the intent of a submission and the submission', () => {
  it('submits nothing and writes nothing when it wakes up after another has done so', async () => {
    const work = path.join(rig.directory, 'work');
    const computer = await rig.addComputer({
      label: 'here',
      transport: 'local',
      scheduler: await sleepyScheduler(),
      workDirectory: work,
      limits: { minPollInterval: 0.1, safeOpenInterval: 0 },
    });
    const runs = path.join(rig.directory, 'runs');
    const row = await rig.submit(computer, { command: ['sh', '-c', 'echo ran >> "$0"', runs] });
    let steps = 0;
    const driver = path.resolve('test/rigs/sleeping-driver.js');
    child = spawn(process.execPath, [driver, rig.profile.location.home], { stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout?.on('data', (data: Buffer) => {
      steps += String(data).split('\n').length - 1;
    });
    const pid = child.pid ?? 0;
    await until(() => isStopped(pid), { what: 'the sleep', timeout: 30_000 });
    const sequence = () => readFile(path.join(work, '.wherry-queue', 'sequence'), 'utf8').catch(() => 'none');
    expect(await sequence()).toBe('none');

    // Long after the lease has run out and the submission has counted as one that never was.
    const later = () => Date.now() + 300_000;
    const [ended] = await rig.drive([row], { now: later });
    expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
    expect(Number.parseInt(await sequence(), 10)).toBe(1);
    const events = () => rig.profile.store.selectFrom('events').selectAll().where('process_id', '=', row.id).execute();
    const before = await events();

    const asleep = steps;
    process.kill(pid, 'SIGCONT');
    await until(() => steps > asleep, { what: 'the step after the end of its submission', timeout: 30_000 });
    expect(Number.parseInt(await sequence(), 10)).toBe(1);
    expect(await events()).toEqual(before);
    expect(await rig.row(row.id)).toEqual(ended);
    expect(await readFile(runs, 'utf8')).toBe('ran\n');
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
});
