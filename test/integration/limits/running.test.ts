import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../rigs/until.js';
import { idOf, type LimitsRig, oursIn, startLimitsRig } from './rig.js';

describe('how much may run at once', () => {
  let rig: LimitsRig;

  beforeAll(async () => {
    rig = await startLimitsRig({ accounting: false });
  });
  afterAll(() => rig?.[Symbol.asyncDispose]());

  it('maxRunning: never more than 4 run, and a held job takes no place', async () => {
    const computer = await rig.addCluster('small', { limits: { maxRunning: 4 } });
    const held = await rig.submitMany(computer, 1, () => ({ command: ['true'], headerLines: ['#SBATCH --hold'] }));
    const rows = await rig.submitMany(computer, 16, () => ({ command: ['sleep', '1'] }));
    const jobId = async () => (await rig.row(held[0]?.id ?? 0)).job_id ?? '';
    const release = async () => {
      const ended = async () => (await Promise.all(rows.map(({ id }) => rig.row(id)))).every((row) => row.ended_at);
      await until(ended, { what: 'the end of all but the held one', timeout: 60_000 });
      await rig.slurm.runAsUser(['scontrol', 'release', await jobId()]);
    };
    await Promise.all([rig.drive([...held, ...rows]), release()]);
    await rig.expectGoodEnds([...held, ...rows]);
    const isHeld = (job: { name: string }) => idOf(job) === held[0]?.id;
    const queues = (await rig.submissionsOf(rows)).map(({ before }) => before);
    expect(Math.max(...queues.map((queue) => oursIn(queue.filter((job) => !isHeld(job))) + 1))).toBe(4);
    expect(queues.filter((queue) => queue.some(isHeld)).length).toBeGreaterThan(8);
  });

  it('a pool of two computers: never more of it than there is', async () => {
    const limits = { pools: { vasp: 3 } };
    const computers = [await rig.addCluster('left', { limits }), await rig.addCluster('right', { limits })];
    const amounts = new Map<number, number>();
    for (const computer of computers) {
      // One each, but for some that need two and some that need none.
      const takes = (index: number) => (index % 4 === 1 ? 2 : index % 4 === 3 ? 0 : 1);
      const jobs = await rig.submitMany(computer, 12, (index) => ({
        command: ['sleep', '1'],
        ...(takes(index) === 1 ? {} : { pools: { vasp: takes(index) } }),
      }));
      for (const [index, { id }] of jobs.entries()) amounts.set(id, takes(index));
    }
    const rows = await Promise.all([...amounts.keys()].map(rig.row));
    await rig.drive(rows, { timeout: 90_000 });
    await rig.expectGoodEnds(rows);
    const amountOf = (job: { name: string }) => amounts.get(idOf(job) ?? 0) ?? 0;
    const used = (await rig.submissionsOf(rows)).map((submission) => ({
      own: amountOf(submission),
      all: submission.before.reduce((sum, job) => sum + amountOf(job), amountOf(submission)),
    }));
    const taking = used.filter(({ own }) => own > 0);
    expect(Math.max(...taking.map(({ all }) => all))).toBe(3);
    expect(taking.filter(({ own }) => own === 2)).toHaveLength(6);
    expect(used.filter(({ own, all }) => own === 0 && all === 3).length).toBeGreaterThan(0);
  });
});
