import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { JobInput } from '../../../src/config/job.js';
import type { ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { fastTime } from '../../rigs/fast-time.js';
import { logSubmissions, type QueuedJob, type Submission, type SubmissionLog } from '../../rigs/submission-log.js';
import { until } from '../../rigs/until.js';
import { driversOf } from './drivers.js';

const searchPath = '/usr/local/bin:/usr/bin:/bin';

describe('limits of a computer on real Slurm', () => {
  let base: string;
  let cluster: Cluster;
  let log: SubmissionLog;
  let earlier = 0;

  beforeAll(async () => {
    base = await mkdtemp(path.join(tmpdir(), 'wherry-limits-'));
    log = await logSubmissions(base, searchPath);
    cluster = await startCluster({ sshd: { environment: { PATH: `${log.directory}:${searchPath}` } } });
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    if (base !== undefined) await rm(base, { recursive: true, force: true });
  });
  beforeEach(async () => {
    earlier = (await log.entries()).length;
  });

  const isOurs = ({ name }: QueuedJob) => name.startsWith('wherry-');
  /** What sbatch was asked for in this test. */
  const submissions = async (): Promise<Submission[]> => (await log.entries()).slice(earlier);

  async function submitMany(
    computer: ComputerRow,
    count: number,
    job: (index: number) => Partial<JobInput> & Pick<JobInput, 'command'>,
  ): Promise<ProcessRow[]> {
    const rows: ProcessRow[] = [];
    for (let index = 0; index < count; index++) {
      const common = { queue: 'long', resources: { memoryPerNode: '50MiB' } };
      rows.push(await cluster.submit(computer, { ...common, ...job(index) }));
    }
    return rows;
  }

  /** Waits until so many of these have ended. */
  async function untilEnded(rows: readonly ProcessRow[], count: number, timeout: number): Promise<void> {
    const open = async () => {
      const { left } = await cluster.profile.store
        .selectFrom('processes')
        .select((columns) => columns.fn.countAll<number>().as('left'))
        .where('id', '>=', rows.at(0)?.id ?? 0)
        .where('id', '<=', rows.at(-1)?.id ?? 0)
        .where('ended_at', 'is', null)
        .executeTakeFirstOrThrow();
      return Number(left);
    };
    await until(async () => (await open()) <= rows.length - count, { what: `${count} ends`, timeout, interval: 50 });
  }

  async function expectGoodEnds(rows: readonly ProcessRow[]): Promise<void> {
    const now = await Promise.all(rows.map(({ id }) => cluster.row(id)));
    const ends = now.map(({ state, exit_status, attempts }) => `${state} ${exit_status}, attempts ${attempts}`);
    expect(new Set(ends)).toEqual(new Set(['finished 0, attempts 0']));
    // Each was submitted once.
    const calls = (await submissions()).filter(({ exitCode }) => exitCode === 0).map(({ name }) => name.split('-')[1]);
    for (const { id } of rows) expect(calls.filter((call) => call === String(id))).toHaveLength(1);
  }

  it('maxQueued: 300 jobs, three kinds of drivers, never more than 20 in the queue', { timeout: 240_000 }, async () => {
    const computer = await cluster.addCluster('crowded', { limits: { maxQueued: 20 } });
    for (let index = 0; index < 5; index++) {
      await cluster.slurm.runAsUser(['sbatch', '--hold', `--job-name=foreign-${index}`, '--wrap', 'true']);
    }
    // The first ones take long enough to fill all places.
    const rows = await submitMany(computer, 300, (index) => ({ command: index < 20 ? ['sleep', '4'] : ['true'] }));
    {
      await using drivers = driversOf(cluster, computer);
      await drivers.start('run');
      await untilEnded(rows, 20, 60_000);
      await drivers.start('tick');
      await untilEnded(rows, 80, 60_000);
      await drivers.start('daemon');
      await untilEnded(rows, rows.length, 120_000);
    }
    await expectGoodEnds(rows);
    const queues = (await submissions()).map(({ before }) => before);
    expect(Math.max(...queues.map((queue) => queue.filter(isOurs).length + 1))).toBe(20);
    expect(new Set(queues.map((queue) => queue.filter((job) => !isOurs(job)).length))).toEqual(new Set([5]));
  });

  it('submitPerMinute: holds across drivers', { timeout: 90_000 }, async () => {
    const computer = await cluster.addCluster('slow', { limits: { submitPerMinute: 6, minPollInterval: 10 } });
    const rows = await submitMany(computer, 18, () => ({ command: ['true'] }));
    const [began, factor] = [Date.now(), 10];
    const time = fastTime(factor);
    await cluster.drive(rows.slice(0, 5), time);
    await cluster.drive(rows, time);
    await expectGoodEnds(rows);
    const calls = (await submissions()).map(({ at }) => (at - began) * factor);
    // Between the intent, which counts, and its arrival lies some time, which may differ by this much.
    const slack = 15_000;
    for (const call of calls) {
      expect(calls.filter((other) => other >= call && other < call + 60_000 - slack).length).toBeLessThanOrEqual(6);
    }
    expect(Math.max(...calls)).toBeGreaterThan(120_000 - slack);
    expect(Math.max(...calls)).toBeLessThan(240_000);
  });
});
