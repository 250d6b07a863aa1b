import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { executeOrFail } from '../../rigs/command.js';
import { type SlowCommands, slowCommands } from '../../rigs/slow-commands.js';
import { until } from '../../rigs/until.js';

const driver = path.resolve('test/rigs/dying-driver.js');
const commandLine = path.resolve('dist/src/cli/main.js');

describe('the driver is killed by -9', () => {
  let cluster: Cluster;
  let slow: SlowCommands;

  beforeAll(async () => {
    const searchPath = '/usr/local/bin:/usr/bin:/bin';
    slow = await slowCommands(await mkdtemp(path.join(tmpdir(), 'wherry-slow-')), ['sbatch'], searchPath);
    cluster = await startCluster({ sshd: { environment: { PATH: `${slow.directory}:${searchPath}` } } });
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    if (slow !== undefined) await rm(path.dirname(slow.directory), { recursive: true, force: true });
  });

  function startDriver(deadly: string): { child: ChildProcess; ended: Promise<NodeJS.Signals | null> } {
    const child = spawn(process.execPath, [driver, cluster.profile.location.home, deadly], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const ended = new Promise<NodeJS.Signals | null>((resolve, reject) => {
      child.once('exit', (_code, signal) => resolve(signal)).once('error', reject);
    });
    return { child, ended };
  }

  /** `wherry tick`, as cron calls it, until the process has ended. */
  async function tickUntilEnded(id: number) {
    const row = await until(
      async () => {
        await executeOrFail([process.execPath, commandLine, '--home', cluster.profile.location.home, 'tick']);
        const now = await cluster.row(id);
        return now.ended_at !== null && now;
      },
      { what: 'the process to end by ticks', timeout: 60_000, interval: 250 },
    );
    return row;
  }

  async function jobsNamed(id: number): Promise<string[]> {
    const { stdout } = await cluster.slurm.run(['sacct', '-a', '-X', '-n', '-P', '-o', 'JobName']);
    return stdout.split('\n').filter((name) => name.startsWith(`wherry-${id}-`));
  }

  it.each(['submit', 'update', 'retrieve', 'parse', 'finished'])(
    'after the commit that leads to %s',
    async (deadly) => {
      const row = await cluster.submit(cluster.computer, { command: ['sh', '-c', 'echo ran >> runs; cat runs'] });
      expect(await startDriver(deadly).ended).toBe('SIGKILL');
      const ended = await tickUntilEnded(row.id);
      expect(ended).toMatchObject({ state: 'finished', exit_status: 0, attempts: 0 });
      expect(await cluster.output(row.id, 'stdout.txt')).toBe('ran\n');
      await until(async () => (await jobsNamed(row.id)).length > 0, { what: 'accounting' });
      expect(await jobsNamed(row.id)).toHaveLength(1);
    },
  );

  it('between the acceptance by Slurm and our own record of it', async () => {
    const row = await cluster.submit(cluster.computer, { command: ['sh', '-c', 'echo ran >> runs; cat runs'] });
    await slow.hold('sbatch');
    const { child, ended } = startDriver('never');
    await until(() => slow.held('sbatch'), { what: 'sbatch to be done', timeout: 30_000 });
    child.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    await slow.release('sbatch');
    expect(await cluster.row(row.id)).toMatchObject({ stage: 'submit', job_id: null });
    expect(await tickUntilEnded(row.id)).toMatchObject({ state: 'finished', exit_status: 0 });
    expect(await cluster.output(row.id, 'stdout.txt')).toBe('ran\n');
    await until(async () => (await jobsNamed(row.id)).length > 0, { what: 'accounting' });
    expect(await jobsNamed(row.id)).toHaveLength(1);
  });
});
