import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { fastTime } from '../../rigs/fast-time.js';
import { type SlowCommands, slowCommands } from '../../rigs/slow-commands.js';
import { type Sshd, startSshd } from '../../rigs/sshd.js';
import { startProxy, type TcpProxy } from '../../rigs/tcp-proxy.js';
import { until } from '../../rigs/until.js';

/** Time passes so many times as fast for an engine that waits for minutes. */
const factor = 20;
const searchPath = '/usr/local/bin:/usr/bin:/bin';

describe('a computer does not answer', () => {
  let base: string;
  let cluster: Cluster;
  let slow: SlowCommands;
  let hanging: Sshd;
  let proxy: TcpProxy;

  beforeAll(async () => {
    base = await mkdtemp(path.join(tmpdir(), 'wherry-slow-'));
    slow = await slowCommands(base, ['squeue'], searchPath);
    cluster = await startCluster({ slurm: { accounting: false, messageTimeout: 2 } });
    hanging = await startSshd({
      environment: { ...cluster.slurm.environment, PATH: `${slow.directory}:${searchPath}` },
    });
  });
  afterAll(async () => {
    await slow?.release('squeue');
    cluster?.slurm.daemons.get('slurmctld')?.signal('SIGCONT');
    await proxy?.stop();
    await hanging?.stop();
    await cluster?.[Symbol.asyncDispose]();
    if (base !== undefined) await rm(base, { recursive: true, force: true });
  });

  const submitMany = (computer: ComputerRow, count: number) =>
    Promise.all(Array.from({ length: count }, () => cluster.submit(computer, { command: ['true'] })));
  const rowsOf = (rows: readonly ProcessRow[]) => Promise.all(rows.map(({ id }) => cluster.row(id)));

  /** The controller still knows every job that it was ever given. */
  async function expectOneJobEach(rows: readonly ProcessRow[]): Promise<void> {
    const { stdout } = await cluster.slurm.run(['squeue', '--noheader', '--states=all', '--format=%j']);
    const ids = stdout.split('\n').map((name) => Number(name.split('-')[1]));
    for (const { id } of rows) expect(ids.filter((one) => one === id)).toHaveLength(1);
  }

  it('squeue hangs on one computer: others go on, and so does all of it but the listing', async () => {
    const computer = await cluster.addCluster('hanging', { connection: { ...hanging.connection } });
    await slow.hang('squeue');
    const stuck = await submitMany(computer, 3);
    const fluent = await submitMany(cluster.computer, 10);
    let late: ProcessRow[] = [];
    const script = async () => {
      await until(async () => (await slow.hung('squeue')) > 0, { what: 'a listing that hangs', timeout: 30_000 });
      const others = async () => (await rowsOf(fluent)).every(({ ended_at }) => ended_at !== null);
      await until(others, { what: 'the jobs of the other computer to end', timeout: 30_000 });
      // Here too new jobs get as far as the queue.
      late = await submitMany(computer, 2);
      const queued = async () => (await rowsOf(late)).every(({ stage }) => stage === 'update');
      await until(queued, { what: 'new jobs in the queue of the computer whose listing hangs', timeout: 30_000 });
      expect((await rowsOf(stuck)).map(({ stage }) => stage)).toEqual(['update', 'update', 'update']);
      // Questions do not pile up.
      expect(await slow.hung('squeue')).toBe(1);
      await slow.release('squeue');
    };
    const [ended] = await Promise.all([cluster.drive([...stuck, ...fluent], { timeout: 100_000 }), script()]);
    const last = await cluster.drive(late);
    expect(new Set([...ended, ...last].map(({ exit_status }) => exit_status))).toEqual(new Set([0]));
  });

  it('the controller hangs and takes what it was sent later: each job is submitted exactly once', async () => {
    const controller = cluster.slurm.daemons.get('slurmctld');
    controller?.signal('SIGSTOP');
    const rows = await submitMany(cluster.computer, 6);
    const script = async () => {
      const isUnknown = async ({ id }: ProcessRow) => (await cluster.eventTypes(id)).includes('job.submission-unknown');
      const allUnknown = async () => (await Promise.all(rows.map(isUnknown))).every((unknown) => unknown);
      await until(allUnknown, { what: 'the end of all attempts to submit', timeout: 60_000 });
      controller?.signal('SIGCONT');
    };
    const [ended] = await Promise.all([cluster.drive(rows, { timeout: 100_000 }), script()]);
    expect(ended.map(({ exit_status, attempts }) => `${exit_status}, ${attempts} failures`)).toEqual(
      rows.map(() => '0, 0 failures'),
    );
    await expectOneJobEach(rows);
  });

  /** Breaks the connection in the middle of everything and accepts none until three probes have come. */
  async function breakFor(rows: readonly ProcessRow[]): Promise<readonly number[]> {
    // Some have ended, some run, some wait in the queue, some for a place in it.
    await until(async () => (await rowsOf(rows)).some(({ stage }) => stage === null), {
      what: 'an end',
      timeout: 30_000,
    });
    const before = proxy.connections();
    proxy.refuse();
    proxy.cut();
    const stages = new Set((await rowsOf(rows)).map(({ stage }) => stage ?? 'ended'));
    expect([...stages]).toEqual(expect.arrayContaining(['submit', 'update', 'ended']));
    await until(() => proxy.connections() >= before + 3, { what: 'three probes', timeout: 60_000 });
    const probes = proxy.connectedAt().slice(before);
    expect((await rowsOf(rows)).filter(({ paused }) => paused !== 0)).toEqual([]);
    proxy.refuse(false);
    return probes;
  }

  it('no connection for minutes: one probe per interval, no attempt of any process, and all end by themselves', async () => {
    proxy = await startProxy({ target: cluster.sshd.port });
    const computer = await cluster.addCluster('far', {
      port: proxy.port,
      limits: { minPollInterval: 20, maxQueued: 20 },
    });
    const rows: ProcessRow[] = [];
    for (let index = 0; index < 40; index++) {
      const job = { command: ['sleep', '2'], queue: 'long', resources: { memoryPerNode: '50MiB' } };
      rows.push(await cluster.submit(computer, job));
    }
    const [ended, probes] = await Promise.all([
      cluster.drive(rows, { ...fastTime(factor), timeout: 120_000 }),
      breakFor(rows),
    ]);
    // The first wait is 20 s, the second twice as long and so on, with a jitter of a fifth; the first probe comes at once.
    const gaps = probes.slice(1).map((at, index) => (at - (probes[index] ?? 0)) * factor);
    gaps.forEach((gap, index) => {
      expect(gap).toBeGreaterThanOrEqual(20_000 * 2 ** index * 0.8);
    });
    expect(ended.map(({ state, exit_status }) => `${state} ${exit_status}`)).toEqual(rows.map(() => 'finished 0'));
    const events = await Promise.all(rows.map(({ id }) => cluster.eventTypes(id)));
    expect(events.flat()).not.toContain('process.failed-attempt');
    expect(events.flat()).not.toContain('process.paused');
    await expectOneJobEach(rows);
  });
});
