import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProcessRow } from '../../../src/store/tables.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { fastTime } from '../../rigs/fast-time.js';
import { startProxy, type TcpProxy } from '../../rigs/tcp-proxy.js';
import { until } from '../../rigs/until.js';

/** Time passes so many times as fast for the engine. */
const factor = 20;

describe('the cluster cannot be reached for minutes', () => {
  let cluster: Cluster;
  let proxy: TcpProxy;

  beforeAll(async () => {
    cluster = await startCluster();
    proxy = await startProxy({ target: cluster.sshd.port });
  });
  afterAll(async () => {
    await proxy?.stop();
    await cluster?.[Symbol.asyncDispose]();
  });

  async function rowsOf(rows: readonly ProcessRow[]): Promise<ProcessRow[]> {
    return Promise.all(rows.map(({ id }) => cluster.row(id)));
  }

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

  it('one probe per interval, no attempt of any process, and all end by themselves', { timeout: 150_000 }, async () => {
    const computer = await cluster.addCluster('far', {
      port: proxy.port,
      limits: { minPollInterval: 20, maxQueued: 30 },
    });
    const rows: ProcessRow[] = [];
    for (let index = 0; index < 60; index++) {
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
    const events = await cluster.profile.store.selectFrom('events').select('type').distinct().execute();
    const types = events.map(({ type }) => type);
    expect(types).toContain('computer.open-failed');
    expect(types).not.toContain('process.failed-attempt');
    expect(types).not.toContain('process.paused');
    const { stdout } = await cluster.slurm.run(['sacct', '-a', '-X', '-n', '-P', '-o', 'JobName']);
    const ids = stdout.split('\n').flatMap((name) => (name === '' ? [] : [Number(name.split('-')[1])]));
    expect(ids.sort((a, b) => a - b)).toEqual(rows.map(({ id }) => id));
  });
});
