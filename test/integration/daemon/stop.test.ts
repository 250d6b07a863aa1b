import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { computerSchema } from '../../../src/config/computer.js';
import { scaleDaemon } from '../../../src/daemon/client.js';
import { stopRest } from '../../../src/daemon/stop-timeout.js';
import { addComputer } from '../../../src/engine/computers.js';
import { openProfile } from '../../../src/engine/profile.js';
import { startDaemon } from '../../rigs/daemon.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, pidOf, runs, startDaemonRig } from './rig.js';

let rig: DaemonRig;
beforeEach(async () => {
  rig = await startDaemonRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

/** Stops the daemon with so many seconds for its workers; the command must end in that time and the bounded rest. */
async function stop(seconds: number): Promise<{ text: string; stderr: string }> {
  const { pid, workers } = await rig.status();
  const begun = performance.now();
  const outcome = await rig.wherry.run(['daemon', 'stop', '--timeout', `${seconds}s`]);
  const took = performance.now() - begun;
  expect(outcome).toMatchObject({ exitCode: 0, text: 'daemon stopped\n' });
  expect(took).toBeLessThan(seconds * 1_000 + stopRest.patience);
  // It was the supervisor that ended them, not the impatience of the command.
  expect(outcome.stderr).not.toContain('its supervisor');
  await Promise.all([pid, ...workers.flatMap((worker) => worker.pid ?? [])].map(rig.ended));
  expect((await rig.wherry.run(['daemon', 'status'])).stderr).toContain('wherry daemon start');
  return outcome;
}

describe('daemon stop', () => {
  it('kills workers that hang', async () => {
    await rig.wherry.succeed(['daemon', 'start', '--workers', '2']);
    for (const worker of await rig.ready(2)) process.kill(pidOf(worker), 'SIGSTOP');
    expect((await stop(2)).stderr).toContain('2 workers did not end in time and had to be killed');
  });

  it('does not wait for a scheduler that hangs', async () => {
    const { wherry } = rig;
    const bin = path.join(wherry.folder, 'bin');
    const asked = path.join(wherry.folder, 'asked');
    await mkdir(bin);
    for (const name of ['sbatch', 'squeue', 'sacct', 'scontrol']) {
      await writeFile(
        path.join(bin, name),
        `#!/bin/sh\necho asked >> ${asked}\nwhile [ -e ${asked} ]; do sleep 0.2; done\n`,
      );
      await chmod(path.join(bin, name), 0o755);
    }
    await using profile = await openProfile({ home: wherry.home });
    const computer = { label: 'hangs', transport: 'local', scheduler: 'slurm', workDirectory: `${wherry.folder}/work` };
    await addComputer(profile.store, computerSchema.parse(computer));
    await wherry.succeed(['daemon', 'start'], { environment: { PATH: `${bin}:${process.env.PATH}` } });
    await wherry.succeed(['submit', '--computer', 'hangs', '--', 'true']);
    await until(() => existsSync(asked), { what: 'a question to the scheduler', timeout: 60_000 });
    await stop(4);
  });

  it('does not wait for a store that another program has locked', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start', '--workers', '2']);
    await rig.ready(2);
    const blocked = await rig.submitBlocked();
    const database = new DatabaseSync(path.join(rig.directory, 'store.sqlite'));
    try {
      await until(() => locked(database), { what: 'the lock', interval: 1 });
      await stop(3);
    } finally {
      database.close();
      await blocked.release();
    }
  });

  it('asked for twice at the same time answers both, in the time that is less', async () => {
    await rig.wherry.succeed(['daemon', 'start', '--workers', '2']);
    for (const worker of await rig.ready(2)) process.kill(pidOf(worker), 'SIGSTOP');
    const begun = performance.now();
    const both = await Promise.all(['60s', '2s'].map((time) => rig.wherry.run(['daemon', 'stop', '--timeout', time])));
    expect(performance.now() - begun).toBeLessThan(2_000 + stopRest.patience);
    for (const outcome of both) expect(outcome).toMatchObject({ exitCode: 0, text: 'daemon stopped\n' });
  });

  it('ends workers that are just being started', async () => {
    await rig.wherry.succeed(['daemon', 'start']);
    await scaleDaemon(rig, 6);
    expect((await rig.status()).workers.some(({ state }) => state === 'starting')).toBe(true);
    await stop(10);
  });

  it('follows at once on a storm of other wishes', async () => {
    await rig.wherry.succeed(['daemon', 'start', '--workers', '2']);
    for (const count of [6, 0, 5, 1, 4]) await scaleDaemon(rig, count);
    await stop(10);
  });

  it('while the daemon is still starting is told to whoever starts it', async () => {
    const starting = rig.wherry.run(['daemon', 'start', '--workers', '8']);
    await until(() => rig.status().catch(() => undefined), { what: 'a daemon', timeout: 30_000, interval: 2 });
    const stopped = await rig.wherry.run(['daemon', 'stop']);
    expect(stopped).toMatchObject({ exitCode: 0, text: 'daemon stopped\n' });
    const started = await starting;
    // The stop may have come when all were ready already.
    if (started.exitCode !== 0) expect(started.stderr).toContain('the daemon was stopped while it started');
    expect((await rig.wherry.run(['daemon', 'status'])).exitCode).toBe(1);
  });
});

describe('a daemon in the foreground of a terminal', () => {
  it('ends in good order when the terminal goes away', async () => {
    const { wherry } = rig;
    const program = path.resolve(import.meta.dirname, '../../../dist/src/cli/main.js');
    const command = `"${process.execPath}" "${program}" daemon start --foreground`;
    const terminal = await startDaemon(['script', '--quiet', '--return', '--command', command, '/dev/null'], {
      log: path.join(wherry.folder, 'terminal'),
      environment: { WHERRY_HOME: wherry.home },
    });
    const there = async () =>
      (await rig.status().catch(() => undefined))?.workers.some(({ state }) => state === 'ready');
    await until(there, { what: 'the daemon', timeout: 60_000 });
    const { pid, workers } = await rig.status();
    // There it is a wish to replace the workers, as everywhere.
    process.kill(pid, 'SIGHUP');
    await rig.ended(pidOf(workers[0]));
    expect(runs(pid)).toBe(true);
    const [next] = await rig.ready(1);
    terminal.signal('SIGKILL');
    await Promise.all([pid, pidOf(next)].map(rig.ended));
    const last = (await readFile(path.join(rig.directory, 'daemon.log'), 'utf8')).trim().split('\n').at(-1) ?? '';
    expect(JSON.parse(last)).toMatchObject({ message: 'daemon ended' });
  });
});

function locked(database: InstanceType<typeof DatabaseSync>): boolean {
  try {
    database.exec('pragma busy_timeout = 0');
    database.exec('begin immediate');
    return true;
  } catch {
    return false;
  }
}
