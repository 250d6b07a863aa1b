import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'vitest';
import type { JobInput } from '../../../src/config/job.js';
import type { ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { logSubmissions, type QueuedJob, type Submission } from '../../rigs/submission-log.js';

const searchPath = '/usr/local/bin:/usr/bin:/bin';

type NewJob = Partial<JobInput> & Pick<JobInput, 'command'>;

/** Holds jobs on the computer until it is opened. */
export interface Gate {
  /** A command that ends when the gate is open. */
  readonly command: string[];
  open(): Promise<void>;
}

/** A cluster on which every submission is counted. */
export interface LimitsRig extends Cluster {
  /** Submits so many small jobs. */
  submitMany(computer: ComputerRow, count: number, job: (index: number) => NewJob): Promise<ProcessRow[]>;
  /** A gate that is closed. */
  gate(): Gate;
  /** Which of these the scheduler has. */
  inQueue(rows: readonly ProcessRow[]): Promise<ProcessRow[]>;
  /** What sbatch was asked for, for these processes. */
  submissionsOf(rows: readonly ProcessRow[]): Promise<Submission[]>;
  /** All have ended well, without a failed try, and each was submitted once. */
  expectGoodEnds(rows: readonly ProcessRow[]): Promise<void>;
}

export async function startLimitsRig(): Promise<LimitsRig> {
  const base = await mkdtemp(path.join(tmpdir(), 'wherry-limits-'));
  const log = await logSubmissions(base, searchPath);
  const cluster = await startCluster({ sshd: { environment: { PATH: `${log.directory}:${searchPath}` } } });
  const submissionsOf = async (rows: readonly ProcessRow[]) => {
    const ids = new Set(rows.map(({ id }) => id));
    return (await log.entries()).filter((entry) => ids.has(idOf(entry) ?? 0));
  };
  let gates = 0;
  return {
    ...cluster,
    submissionsOf,
    gate() {
      const file = path.join(cluster.sshd.home, `gate-${++gates}`);
      return {
        command: ['sh', '-c', 'until [ -e "$0" ]; do sleep 0.2; done', file],
        open: () => writeFile(file, ''),
      };
    },
    async inQueue(rows) {
      const now = await Promise.all(rows.map(({ id }) => cluster.row(id)));
      return now.filter(({ stage }) => stage === 'update');
    },
    async submitMany(computer, count, job) {
      const rows: ProcessRow[] = [];
      for (let index = 0; index < count; index++) {
        const common = { queue: 'long', resources: { memoryPerNode: '50MiB' } };
        rows.push(await cluster.submit(computer, { ...common, ...job(index) }));
      }
      return rows;
    },
    async expectGoodEnds(rows) {
      const now = await Promise.all(rows.map(({ id }) => cluster.row(id)));
      const ends = now.map((row) => `${row.state} ${row.exit_status}, ${row.attempts} failures, paused ${row.paused}`);
      expect(new Set(ends)).toEqual(new Set(['finished 0, 0 failures, paused 0']));
      const accepted = (await submissionsOf(rows)).filter(({ exitCode }) => exitCode === 0);
      const ascending = (ids: (number | undefined)[]) => ids.sort((a = 0, b = 0) => a - b);
      expect(ascending(accepted.map(idOf))).toEqual(ascending(rows.map(({ id }) => id)));
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await rm(base, { recursive: true, force: true });
    },
  };
}

/** The process that a job of ours belongs to; undefined for jobs of others. */
export function idOf({ name }: Pick<QueuedJob, 'name'>): number | undefined {
  const id = /^wherry-(\d+)-/.exec(name)?.[1];
  return id === undefined ? undefined : Number(id);
}

/** How many jobs in a queue are ours. */
export function oursIn(queue: readonly QueuedJob[]): number {
  return queue.filter((job) => idOf(job) !== undefined).length;
}
