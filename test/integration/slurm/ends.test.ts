import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProcessRow } from '../../../src/store/tables.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { until } from '../../rigs/until.js';

describe('how jobs end on real Slurm', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  /** Drives a job and does something to it as soon as it runs. */
  async function driveAndThen(row: ProcessRow, act: (jobId: string) => Promise<unknown>): Promise<ProcessRow> {
    const acted = (async () => {
      await until(async () => (await cluster.row(row.id)).scheduler_state === 'running', {
        timeout: 60_000,
        what: 'the job to run',
      });
      await act((await cluster.row(row.id)).job_id ?? '');
    })();
    const [[ended]] = await Promise.all([cluster.drive([row], { timeout: 90_000 }), acted]);
    if (ended === undefined) throw new Error('nothing ended');
    return ended;
  }

  it('walltime exceeded: 120', async () => {
    const row = await cluster.submit(cluster.computer, { command: ['sleep', '300'], resources: { walltime: '1m' } });
    const ended = await driveAndThen(row, (jobId) => cluster.slurm.setTimeLimitNow(jobId));
    expect(ended).toMatchObject({ state: 'finished', exit_status: 120, scheduler_state: 'timeout' });
  });

  it('out of memory: 110', async ({ skip }) => {
    if (!cluster.slurm.canOutOfMemory) skip('this machine does not let Slurm use cgroups');
    const row = await cluster.submit(cluster.computer, {
      command: ['sh', '-c', 'head -c 400m /dev/zero | tail'],
      resources: { memoryPerNode: '50MiB', walltime: '5m' },
    });
    const [ended] = await cluster.drive([row], { timeout: 90_000 });
    expect(ended).toMatchObject({ state: 'finished', exit_status: 110, scheduler_state: 'out-of-memory' });
  });

  it('cancelled from outside: 141', async () => {
    const row = await cluster.submit(cluster.computer, { command: ['sleep', '300'] });
    const ended = await driveAndThen(row, (jobId) => cluster.slurm.runAsUser(['scancel', jobId]));
    expect(ended).toMatchObject({ state: 'finished', exit_status: 141, scheduler_state: 'cancelled' });
  });

  it('unknown partition: refused in the words of Slurm, at once', async () => {
    const row = await cluster.submit(cluster.computer, { command: ['true'], queue: 'nosuch' });
    const [ended] = await cluster.drive([row]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 130, exit_label: 'SCHEDULER_REFUSED', job_id: null });
    expect(ended?.exit_message).toMatch(/invalid partition specified: nosuch/i);
  });

  it('unknown account: 131', async () => {
    const row = await cluster.submit(cluster.computer, { command: ['true'], account: 'nosuch' });
    const [ended] = await cluster.drive([row]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 131, exit_label: 'INVALID_ACCOUNT', job_id: null });
    expect(ended?.exit_message).toMatch(/invalid account/i);
  });

  it('two partitions', async () => {
    const rows = await Promise.all(
      ['debug', 'long'].map((queue) =>
        cluster.submit(cluster.computer, {
          command: ['sh', '-c', 'echo $SLURM_JOB_PARTITION'],
          queue,
          account: 'proj1',
        }),
      ),
    );
    await cluster.drive(rows);
    expect(await Promise.all(rows.map(({ id }) => cluster.output(id, 'stdout.txt')))).toEqual(['debug\n', 'long\n']);
  });

  it('resources arrive', async () => {
    const row = await cluster.submit(cluster.computer, {
      command: [
        'sh',
        '-c',
        'echo $SLURM_JOB_NUM_NODES $SLURM_NTASKS_PER_NODE $SLURM_CPUS_PER_TASK $SLURM_MEM_PER_NODE',
      ],
      resources: { nodes: 2, tasksPerNode: 2, cpusPerTask: 2, memoryPerNode: '300MiB', walltime: '10m' },
      mpi: false,
    });
    const [ended] = await cluster.drive([row]);
    expect(ended).toMatchObject({ exit_status: 0 });
    expect(await cluster.output(row.id, 'stdout.txt')).toBe('2 2 2 300\n');
  });
});
