import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobInput } from '../../../src/config/job.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { until } from '../../rigs/until.js';

/** Waits to be disturbed in its first run and ends at once in the second. */
const twice = 'echo run >> runs; [ $(wc -l < runs) = 1 ] && sleep 300; wc -l < runs';

describe('Slurm runs a job again', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  const submit = (job: Partial<JobInput> = {}) =>
    cluster.submit(cluster.computer, {
      command: ['sh', '-c', twice],
      queue: 'small',
      resources: { memoryPerNode: '50MiB', walltime: '5m' },
      ...job,
    });

  async function inState(row: ProcessRow, state: string): Promise<string> {
    const now = await until(
      async () => {
        const found = await cluster.row(row.id);
        return found.scheduler_state === state && found;
      },
      { what: `process ${row.id} ${state}`, timeout: 60_000 },
    );
    return now.job_id ?? '';
  }

  /** Slurm shows a job as running before its script has begun. */
  async function begun(row: ProcessRow): Promise<string> {
    const jobId = await inState(row, 'running');
    const { remote_directory } = await cluster.row(row.id);
    const isThere = async () => (await readFile(`${remote_directory}/runs`, 'utf8').catch(() => '')) !== '';
    await until(isThere, { what: `the first run of process ${row.id}`, timeout: 60_000 });
    return jobId;
  }

  /** Slurm lets a requeued job wait for two minutes. */
  async function startNow(jobId: string): Promise<void> {
    await until(
      async () => (await cluster.slurm.run(['scontrol', 'update', `JobId=${jobId}`, 'StartTime=now'])).exitCode === 0,
      { what: `job ${jobId} in the queue again`, timeout: 30_000 },
    );
  }

  /** Waits until accounting knows these ends of the runs of a job, and no others. */
  async function expectRuns(jobId: string, states: readonly string[]): Promise<void> {
    const runs = async () => {
      const { stdout } = await cluster.slurm.run(['sacct', '-D', '-X', '-n', '-P', '-j', jobId, '-o', 'State']);
      return stdout.trim().split('\n').join() === states.join();
    };
    await until(runs, { what: `runs of job ${jobId}: ${states.join()}` });
  }

  async function expectSecondRun(row: ProcessRow | undefined, jobId: string): Promise<void> {
    if (row === undefined) throw new Error('nothing ended');
    expect(row).toMatchObject({ state: 'finished', exit_status: 0, job_id: jobId, attempts: 0 });
    expect(await cluster.output(row.id, 'stdout.txt')).toBe('2\n');
    const types = await cluster.eventTypes(row.id);
    expect(types.filter((type) => type === 'job.submitted')).toHaveLength(1);
    expect(types.filter((type) => type === 'job.ended')).toHaveLength(1);
  }

  it('requeued by hand, at once or after a hold: followed as the same job', async () => {
    const rows = [await submit(), await submit()];
    const script = async () => {
      const [first = '', second = ''] = await Promise.all(rows.map(begun));
      await cluster.slurm.run(['scontrol', 'requeue', first]);
      await cluster.slurm.run(['scontrol', 'requeuehold', second]);
      await Promise.all([inState(rows[0] as ProcessRow, 'queued'), inState(rows[1] as ProcessRow, 'held')]);
      await cluster.slurm.run(['scontrol', 'release', second]);
      await Promise.all([startNow(first), startNow(second)]);
      return [first, second];
    };
    const [ended, jobIds] = await Promise.all([cluster.drive(rows, { timeout: 90_000 }), script()]);
    for (const [index, jobId] of jobIds.entries()) {
      await expectSecondRun(ended[index], jobId);
      await expectRuns(jobId, ['REQUEUED', 'COMPLETED']);
    }
  });

  it('preempted: waits for its place and runs again', async () => {
    const resources = { tasksPerNode: 4, memoryPerNode: '200MiB', walltime: '5m' };
    const row = await submit({ queue: 'spare', resources, mpi: false });
    const script = async () => {
      const jobId = await begun(row);
      const urgent = await submit({ queue: 'urgent', resources, mpi: false, command: ['sleep', '1'] });
      await inState(row, 'queued');
      await startNow(jobId);
      return [jobId, urgent] as const;
    };
    const [[ended], [jobId, urgent]] = await Promise.all([cluster.drive([row], { timeout: 90_000 }), script()]);
    await expectSecondRun(ended, jobId);
    expect((await cluster.drive([urgent]))[0]).toMatchObject({ exit_status: 0 });
    await expectRuns(jobId, ['PREEMPTED', 'COMPLETED']);
  });

  it('its node fails: 140 without a requeue, a second run with one', async () => {
    const rows = [
      await submit({ queue: 'debug' }),
      await submit({ queue: 'debug', headerLines: ['#SBATCH --no-requeue'] }),
    ];
    const nodes = cluster.slurm.nodeNames.slice(0, 2);
    const setState = async (state: string) => {
      for (const node of nodes)
        await cluster.slurm.run(['scontrol', 'update', `NodeName=${node}`, `State=${state}`, 'Reason=test']);
    };
    const script = async () => {
      const [first = ''] = await Promise.all(rows.map(begun));
      await setState('down');
      await inState(rows[0] as ProcessRow, 'queued');
      await setState('resume');
      await startNow(first);
      return first;
    };
    const [[again, lost], jobId] = await Promise.all([cluster.drive(rows, { timeout: 90_000 }), script()]);
    await expectSecondRun(again, jobId);
    expect(lost).toMatchObject({ state: 'finished', exit_status: 140, scheduler_state: 'node-failure' });
    await expectRuns(jobId, ['NODE_FAIL', 'COMPLETED']);
    await expectRuns(lost?.job_id ?? '', ['NODE_FAIL']);
  });
});
