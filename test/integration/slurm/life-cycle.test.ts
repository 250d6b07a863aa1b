import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, startCluster } from '../../rigs/cluster.js';

describe('the life cycle on real Slurm over real ssh', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  it('runs a command and brings its output', async () => {
    const row = await cluster.submit(cluster.computer, {
      command: ['sh', '-c', 'echo "$(id -un) $SLURM_JOB_PARTITION"'],
    });
    const [ended] = await cluster.drive([row]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
    expect(await cluster.output(row.id, 'stdout.txt')).toBe(`${cluster.slurm.user.name} debug\n`);
  });

  it('tells exit code 3', async () => {
    const row = await cluster.submit(cluster.computer, { command: ['sh', '-c', 'exit 3'] });
    const [ended] = await cluster.drive([row]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 3, exit_label: 'COMMAND_FAILED' });
  });
});
