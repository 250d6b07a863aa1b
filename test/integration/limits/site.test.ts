import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { computerNames, lineOf } from '../../../src/engine/views.js';
import { fastTime } from '../../rigs/fast-time.js';
import { until } from '../../rigs/until.js';
import { type LimitsRig, startLimitsRig } from './rig.js';

describe('limits that the site sets', () => {
  let rig: LimitsRig;

  beforeAll(async () => {
    rig = await startLimitsRig();
  });
  afterAll(() => rig?.[Symbol.asyncDispose]());

  it.each([
    { of: 'qos', qos: 'limited', words: 'QOSMaxSubmitJobPerUserLimit' },
    { of: 'association', qos: undefined, words: 'AssocMaxSubmitJobLimit' },
  ])('of a $of, two jobs at most: the others wait with its words, and none fails', async ({ qos, words }) => {
    const setLimit = (most: number) => {
      const user = rig.slurm.user.name;
      return rig.slurm.run(['sacctmgr', '-i', 'modify', 'user', user, 'set', `MaxSubmitJobs=${most}`]);
    };
    if (qos === undefined) await setLimit(2);
    const computer = await rig.addCluster(words, { limits: { minPollInterval: 20 } });
    const rows = await rig.submitMany(computer, 8, () => ({ command: ['sleep', '1'], ...(qos && { qos }) }));
    const isWaiting = async () => {
      const names = await computerNames(rig.profile.store);
      const now = await Promise.all(rows.map(({ id }) => rig.row(id)));
      return now.some((row) => lineOf(row, names).waitingFor?.includes(words));
    };
    await Promise.all([
      rig.drive(rows, { ...fastTime(20), timeout: 80_000 }),
      until(isWaiting, { what: `a process that waits because of ${words}`, timeout: 30_000 }),
    ]);
    await rig.expectGoodEnds(rows);
    const calls = await rig.submissionsOf(rows);
    expect(Math.max(...calls.map(({ before }) => before.length))).toBe(2);
    // The site is asked now and then, and not by everybody all the time.
    const refused = calls.filter(({ exitCode }) => exitCode !== 0).length;
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThanOrEqual(2 * rows.length);
    if (qos === undefined) await setLimit(-1);
  });
});
