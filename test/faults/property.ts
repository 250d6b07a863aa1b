import { describe, expect, it } from 'vitest';
import { planOf } from './plan.js';
import { simulate } from './simulation.js';
import { violations } from './violations.js';

const count = Number(process.env.WHERRY_SEEDS ?? 200);
const first = Number(process.env.WHERRY_FIRST_SEED ?? 1);

/** The property test, over every so many seeds: each file that calls this has a processor of its own. */
export function testSeeds(part: number, parts: number, most = count): void {
  const seeds = Array.from({ length: most }, (_, index) => first + index).filter((seed) => seed % parts === part);
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
}
