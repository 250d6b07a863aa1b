import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computerNames, lineOf } from '../../../src/engine/views.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { fastTime } from '../../rigs/fast-time.js';
import { until } from '../../rigs/until.js';
import { driversOf } from './drivers.js';
import { idOf, type LimitsRig, oursIn, startLimitsRig } from './rig.js';

describe('limits on real Slurm', () => {
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

  /** Waits until the scheduler has so many of these. */
  async function untilInQueue(rows: readonly ProcessRow[], count: number): Promise<void> {
    const full = async () => (await rig.inQueue(rows)).length === count;
    await until(full, { what: `${count} jobs in the queue`, timeout: 60_000, interval: 50 });
  }

  it('maxQueued: 300 jobs, three kinds of drivers, never more than 20 in the queue', { timeout: 420_000 }, async () => {
    const computer = await rig.addCluster('crowded', { limits: { maxQueued: 20 } });
    const gate = rig.gate();
    const rows = await rig.submitMany(computer, 300, (index) => ({ command: index < 20 ? gate.command : ['true'] }));
    {
      await using drivers = driversOf(rig, computer);
      await drivers.start('run');
      await untilInQueue(rows.slice(0, 25), 20);
      await gate.open();
      await untilEnded(rows, 5, 120_000);
      await drivers.start('tick');
      await untilEnded(rows, 30, 120_000);
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
    const gate = rig.gate();
    const rows = await rig.submitMany(computer, 24, (index) => ({ command: index < 9 ? gate.command : ['true'] }));
    const leave = async () => {
      await untilInQueue(rows, 5);
      await rig.slurm.runAsUser(['scancel', ...foreign.slice(0, 4)]);
      await untilInQueue(rows, 9);
      await gate.open();
    };
    await Promise.all([rig.drive(rows, { timeout: 90_000 }), leave()]);
    await rig.expectGoodEnds(rows);
    const queues = (await rig.submissionsOf(rows)).map(({ before }) => before);
    expect(Math.max(...queues.map((queue) => queue.length + 1))).toBe(10);
    const crowded = queues.filter((queue) => queue.length - oursIn(queue) === 5);
    expect(Math.max(...crowded.map((queue) => oursIn(queue) + 1))).toBe(5);
    expect(Math.max(...queues.map((queue) => oursIn(queue) + 1))).toBe(9);
    await rig.slurm.runAsUser(['scancel', ...foreign.slice(4)]);
  });

  it('submitPerMinute: holds across drivers', { timeout: 90_000 }, async () => {
    const computer = await rig.addCluster('slow', { limits: { submitPerMinute: 6, minPollInterval: 20 } });
    const rows = await rig.submitMany(computer, 18, () => ({ command: ['true'] }));
    const [began, factor] = [Date.now(), 20];
    const time = fastTime(factor);
    await rig.drive(rows.slice(0, 5), time);
    await rig.drive(rows, time);
    await rig.expectGoodEnds(rows);
    const calls = (await rig.submissionsOf(rows)).map(({ at }) => (at - began) * factor);
    // Between the intent, which counts, and its arrival lies some time, which may differ by this much.
    const slack = 20_000;
    for (const call of calls) {
      expect(calls.filter((other) => other >= call && other < call + 60_000 - slack).length).toBeLessThanOrEqual(6);
    }
    expect(Math.max(...calls)).toBeGreaterThan(120_000 - slack);
    expect(Math.max(...calls)).toBeLessThan(240_000);
  });

  it('maxRunning: never more than 4 run, and a held job takes no place', async () => {
    const computer = await rig.addCluster('small', { limits: { maxRunning: 4 } });
    const held = await rig.submitMany(computer, 1, () => ({ command: ['true'], headerLines: ['#SBATCH --hold'] }));
    const gate = rig.gate();
    const rows = await rig.submitMany(computer, 10, (index) => ({ command: index < 4 ? gate.command : ['true'] }));
    const jobId = async () => (await rig.row(held[0]?.id ?? 0)).job_id ?? '';
    const release = async () => {
      await untilInQueue([...held, ...rows], 5);
      await gate.open();
      const ended = async () => (await Promise.all(rows.map(({ id }) => rig.row(id)))).every((row) => row.ended_at);
      await until(ended, { what: 'the end of all but the held one', timeout: 60_000 });
      await rig.slurm.runAsUser(['scontrol', 'release', await jobId()]);
    };
    await Promise.all([rig.drive([...held, ...rows]), release()]);
    await rig.expectGoodEnds([...held, ...rows]);
    const isHeld = (job: { name: string }) => idOf(job) === held[0]?.id;
    const queues = (await rig.submissionsOf(rows)).map(({ before }) => before);
    expect(Math.max(...queues.map((queue) => oursIn(queue.filter((job) => !isHeld(job))) + 1))).toBe(4);
    expect(queues.filter((queue) => queue.some(isHeld)).length).toBeGreaterThan(4);
  });

  it('a pool of two computers: never more of it than there is', async () => {
    const limits = { pools: { vasp: 3 } };
    const computers = [await rig.addCluster('left', { limits }), await rig.addCluster('right', { limits })];
    const amounts = new Map<number, number>();
    const gate = rig.gate();
    for (const computer of computers) {
      // One each, but for some that need two and some that need none.
      const takes = (index: number) => (index % 4 === 1 ? 2 : index % 4 === 3 ? 0 : 1);
      const jobs = await rig.submitMany(computer, 6, (index) => ({
        command: gate.command,
        ...(takes(index) === 1 ? {} : { pools: { vasp: takes(index) } }),
      }));
      for (const [index, { id }] of jobs.entries()) amounts.set(id, takes(index));
    }
    const rows = await Promise.all([...amounts.keys()].map(rig.row));
    const openWhenFull = async () => {
      const none = rows.filter(({ id }) => amounts.get(id) === 0);
      const full = async () => {
        const taken = (await rig.inQueue(rows)).reduce((sum, { id }) => sum + (amounts.get(id) ?? 0), 0);
        return taken === 3 && (await rig.inQueue(none)).length === none.length;
      };
      await until(full, { what: 'a full pool, and those in the queue that need nothing of it', timeout: 60_000 });
      await gate.open();
    };
    await Promise.all([rig.drive(rows, { timeout: 90_000 }), openWhenFull()]);
    await rig.expectGoodEnds(rows);
    const amountOf = (job: { name: string }) => amounts.get(idOf(job) ?? 0) ?? 0;
    const used = (await rig.submissionsOf(rows)).map((submission) => ({
      own: amountOf(submission),
      all: submission.before.reduce((sum, job) => sum + amountOf(job), amountOf(submission)),
    }));
    const taking = used.filter(({ own }) => own > 0);
    expect(Math.max(...taking.map(({ all }) => all))).toBe(3);
    expect(taking.filter(({ own }) => own === 2)).toHaveLength(4);
    expect(used.filter(({ own, all }) => own === 0 && all === 3).length).toBeGreaterThan(0);
  });

  it.each([
    { of: 'qos', qos: 'limited', words: 'QOSMaxSubmitJobPerUserLimit' },
    { of: 'association', qos: undefined, words: 'AssocMaxSubmitJobLimit' },
  ])(
    'the site allows two jobs by a limit of the $of: others wait with its words, and none fails',
    async ({ qos, words }) => {
      const setLimit = (most: number) => {
        const user = rig.slurm.user.name;
        return rig.slurm.run(['sacctmgr', '-i', 'modify', 'user', user, 'set', `MaxSubmitJobs=${most}`]);
      };
      if (qos === undefined) await setLimit(2);
      const computer = await rig.addCluster(words, { limits: { minPollInterval: 20 } });
      const gate = rig.gate();
      const rows = await rig.submitMany(computer, 6, () => ({ command: gate.command, ...(qos && { qos }) }));
      const isWaiting = async () => {
        const names = await computerNames(rig.profile.store);
        const now = await Promise.all(rows.map(({ id }) => rig.row(id)));
        return now.some((row) => lineOf(row, names).waitingFor?.includes(words));
      };
      await Promise.all([
        rig.drive(rows, { ...fastTime(20), timeout: 80_000 }),
        until(isWaiting, { what: `a process that waits because of ${words}`, timeout: 30_000 }).then(gate.open),
      ]);
      await rig.expectGoodEnds(rows);
      const calls = await rig.submissionsOf(rows);
      expect(Math.max(...calls.map(({ before }) => before.length))).toBe(2);
      // The site is asked now and then, and not by everybody all the time.
      const refused = calls.filter(({ exitCode }) => exitCode !== 0).length;
      expect(refused).toBeGreaterThan(0);
      expect(refused).toBeLessThanOrEqual(2 * rows.length);
      if (qos === undefined) await setLimit(-1);
    },
  );
});
