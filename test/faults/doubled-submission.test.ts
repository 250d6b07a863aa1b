import { expect, it } from 'vitest';
import { pbsProDialect, slurmDialect } from '../../testing/index.js';
import { calm } from './plan.js';
import { simulate } from './simulation.js';
import { violations } from './violations.js';

it.each([slurmDialect, pbsProDialect])(
  'follows the job that really runs when a submission is acted upon long after it was given up ($name)',
  async (dialect) => {
    // The first submission reaches the scheduler when the job of the second waits in the queue.
    const plan = {
      ...calm,
      dialect,
      jobs: [{ seconds: 400, exitCode: 3 }],
      longestWait: 500_000,
      minPollInterval: 60_000,
      faults: [{ on: 'submit' as const, occurrence: 1, fault: { kind: 'hang' as const, executes: 200_000 } }],
    };
    const adopted = [];
    for (const seed of [3, 4, 5]) {
      const outcome = await simulate({ ...plan, seed });
      expect(violations(plan, outcome), outcome.cluster.log.join('\n')).toEqual([]);
      expect(outcome.submissions).toHaveLength(2);
      adopted.push(...outcome.events.filter(({ type }) => type === 'job.adopted'));
    }
    expect(adopted.length).toBeGreaterThan(0);
  },
  60_000,
);

it('runs nothing of a killed process when its submission arrives long after it was given up', async () => {
  const plan = {
    ...calm,
    // The other goes on until the submission arrives.
    jobs: [
      { seconds: 400, exitCode: 0 },
      { seconds: 900, exitCode: 0 },
    ],
    acts: [{ at: 30_000, kind: 'kill' as const, job: 0 }],
    faults: [{ on: 'submit' as const, subject: 'wherry-1', fault: { kind: 'hang' as const, executes: 290_000 } }],
  };
  const outcome = await simulate(plan);
  expect(violations(plan, outcome), outcome.cluster.log.join('\n')).toEqual([]);
  const { queue } = outcome.cluster;
  queue.advance();
  const [killed] = outcome.rows;
  expect(killed?.state).toBe('killed');
  const arrived = [...queue.jobs.values()].filter(({ script }) => script.directory === killed?.remote_directory);
  expect(arrived.map(({ runs }) => runs)).toEqual([0]);
}, 60_000);
