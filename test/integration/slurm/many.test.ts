import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, startCluster } from '../../rigs/cluster.js';

describe('fifty jobs at once on real Slurm', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  /** How often the controller was asked for a list of jobs, by its own count. */
  async function listingsSeen(): Promise<number> {
    const { stdout } = await cluster.slurm.run(['sdiag']);
    const counts = [...stdout.matchAll(/^\s*REQUEST_JOB_(?:USER_)?INFO\s+\(\s*\d+\)\s+count:(\d+)/gm)];
    return counts.reduce((sum, match) => sum + Number(match[1]), 0);
  }

  it('uses one connection and one listing per interval', async () => {
    const rows = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        cluster.submit(cluster.computer, {
          command: ['sh', '-c', `echo ${index}`],
          resources: { memoryPerNode: '50MiB' },
        }),
      ),
    );
    const before = await listingsSeen();
    const began = Date.now();
    const ended = await cluster.drive(rows, { timeout: 110_000 });
    const seconds = (Date.now() - began) / 1000;
    expect(ended.map((row) => row.exit_status)).toEqual(rows.map(() => 0));
    expect(await Promise.all(rows.map(({ id }) => cluster.output(id, 'stdout.txt')))).toEqual(
      rows.map((_, index) => `${index}\n`),
    );
    expect(cluster.sshd.log().match(/Accepted publickey/g)).toHaveLength(1);
    const listings = (await listingsSeen()) - before;
    expect(listings).toBeGreaterThan(0);
    // The interval is one second; sbatch and scancel ask for no listing.
    expect(listings).toBeLessThanOrEqual(Math.ceil(seconds) + 1);
    const jobIds = new Set(ended.map((row) => row.job_id));
    expect(jobIds.size).toBe(50);
  });
});
