import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProcessRow } from '../../../src/store/tables.js';
import { fastTime } from '../../rigs/fast-time.js';
import { until } from '../../rigs/until.js';
import { driversOf } from './drivers.js';
import { type LimitsRig, oursIn, startLimitsRig } from './rig.js';

describe('how much a computer is given', () => {
  let rig: LimitsRig;
  const foreign: string[] = [];

  beforeAll(async () => {
    rig = await startLimitsRig();
    for (let index = 0; index < 5; index++) {
      const words = ['sbatch', '--parsable', '--hold', `--job-name=foreign-${index}`, '--wrap', 'true'];
      foreign.push((await rig.slurm.runAsUser(words)).stdout.trim());
    }
  });
  afterAll(() => rig?.[Symbol.asyncDispose]());

  /** Waits until so many of these have ended. */
  async function untilEnded(rows: readonly ProcessRow[], count: number, timeout: number): Promise<void> {
    const open = async () => {
      const { left } = await rig.profile.store
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

  it('maxQueued: 300 jobs, three kinds of drivers, never more than 20 in the queue', { timeout: 240_000 }, async () => {
    const computer = await rig.addCluster('crowded', { limits: { maxQueued: 20 } });
    // The first ones take long enough to fill all places.
    const rows = await rig.submitMany(computer, 300, (index) => ({ command: index < 20 ? ['sleep', '4'] : ['true'] }));
    {
      await using drivers = driversOf(rig, computer);
      await drivers.start('run');
      await untilEnded(rows, 20, 60_000);
      await drivers.start('tick');
      await untilEnded(rows, 80, 60_000);
      await drivers.start('daemon');
      await untilEnded(rows, rows.length, 120_000);
    }
    await rig.expectGoodEnds(rows);
    const queues = (await rig.submissionsOf(rows)).map(({ before }) => before);
    expect(Math.max(...queues.map((queue) => oursIn(queue) + 1))).toBe(20);
    expect(new Set(queues.map((queue) => queue.length - oursIn(queue)))).toEqual(new Set([5]));
  });

  it('countForeignJobs: ours and others together, never more than 10, and places that others leave are taken', async () => {
    const computer = await rig.addCluster('shared', { limits: { maxQueued: 10, countForeignJobs: true } });
    const rows = await rig.submitMany(computer, 30, () => ({ command: ['sleep', '2'] }));
    const leave = async () => {
      await untilEnded(rows, 5, 40_000);
      await rig.slurm.runAsUser(['scancel', ...foreign.slice(0, 4)]);
    };
    await Promise.all([rig.drive(rows, { timeout: 90_000 }), leave()]);
    await rig.expectGoodEnds(rows);
    const queues = (await rig.submissionsOf(rows)).map(({ before }) => before);
    expect(Math.max(...queues.map((queue) => queue.length + 1))).toBe(10);
    const crowded = queues.filter((queue) => queue.length - oursIn(queue) === 5);
    expect(Math.max(...crowded.map((queue) => oursIn(queue) + 1))).toBe(5);
    expect(Math.max(...queues.map((queue) => oursIn(queue) + 1))).toBe(9);
  });

  it('submitPerMinute: holds across drivers', { timeout: 90_000 }, async () => {
    const computer = await rig.addCluster('slow', { limits: { submitPerMinute: 6, minPollInterval: 10 } });
    const rows = await rig.submitMany(computer, 18, () => ({ command: ['true'] }));
    const [began, factor] = [Date.now(), 10];
    const time = fastTime(factor);
    await rig.drive(rows.slice(0, 5), time);
    await rig.drive(rows, time);
    await rig.expectGoodEnds(rows);
    const calls = (await rig.submissionsOf(rows)).map(({ at }) => (at - began) * factor);
    // Between the intent, which counts, and its arrival lies some time, which may differ by this much.
    const slack = 15_000;
    for (const call of calls) {
      expect(calls.filter((other) => other >= call && other < call + 60_000 - slack).length).toBeLessThanOrEqual(6);
    }
    expect(Math.max(...calls)).toBeGreaterThan(120_000 - slack);
    expect(Math.max(...calls)).toBeLessThan(240_000);
  });
});
