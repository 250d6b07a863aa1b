import { describe, expect, it } from 'vitest';
import { endedStates } from '../../testing/queue.js';
import { type Plan, planOf } from './plan.js';
import { type Outcome, simulate } from './simulation.js';

const count = Number(process.env.WHERRY_SEEDS ?? 24);
const first = Number(process.env.WHERRY_FIRST_SEED ?? 1);
const seeds = Array.from({ length: count }, (_, index) => first + index);

describe('on a simulated cluster, whatever breaks', () => {
  it.each(seeds)(
    'every job runs exactly once and ends right (seed %i)',
    async (seed) => {
      const plan = planOf(seed);
      const outcome = await simulate(plan);
      const wrong = violations(plan, outcome);
      const story = wrong.length === 0 ? '' : `\n${JSON.stringify(plan)}\n${outcome.cluster.log.join('\n')}`;
      expect(wrong, `seed ${seed}${story}`).toEqual([]);
    },
    60_000,
  );
});

/** Everything that must never happen and did. */
function violations({ jobs, maxQueued }: Plan, { cluster, rows, outputs }: Outcome): string[] {
  const wrong: string[] = [];
  const { queue } = cluster;
  if (queue.mostAtOnce > maxQueued) wrong.push(`${queue.mostAtOnce} jobs at once where ${maxQueued} are allowed`);
  for (const [index, row] of rows.entries()) {
    const submitted = [...queue.jobs.values()].filter(({ script }) => script.directory === row.remote_directory);
    const [ran, ...more] = submitted.filter(({ runs }) => runs > 0);
    const allowed = ran?.history.filter(({ state }) => state === 'queued').length;
    if (ran === undefined || more.length > 0 || ran.runs !== allowed) {
      wrong.push(`process ${row.id} ran ${submitted.map(({ id, runs }) => `${runs} times as ${id}`).join(', ')}`);
      continue;
    }
    const story = `its job ${ran.id}: ${JSON.stringify(ran.history.map(({ at, state }) => [at - ran.submittedAt, state]))}`;
    const end = ran.history.at(-1)?.state ?? 'queued';
    const expected = end === 'node-failure' ? 140 : jobs[index]?.exitCode;
    if (!endedStates.has(end)) wrong.push(`process ${row.id} is ${row.state} and its job ${ran.id} is ${end}`);
    if (row.state !== 'finished' || row.exit_status !== expected) {
      wrong.push(
        `process ${row.id} is ${row.state} ${row.exit_status} ${row.exit_message}, not finished ${expected}; ${story}`,
      );
    }
    const isComplete = end === 'node-failure' || outputs.get(row.id) === `job-${index}\n`;
    if (!isComplete) wrong.push(`process ${row.id} has the output ${outputs.get(row.id)}`);
  }
  return wrong;
}
