import { describe, expect, it } from 'vitest';
import { planOf } from './plan.js';
import { simulate } from './simulation.js';
import { violations } from './violations.js';

const count = Number(process.env.WHERRY_SEEDS ?? 48);
const first = Number(process.env.WHERRY_FIRST_SEED ?? 1);

/**
 * The property test, over every so many seeds: each file that calls this has a processor of its own.
 * @param timeout milliseconds for each seed
 */
export function testSeeds(
  part: number,
  parts: number,
  { most = count, timeout = 60_000 }: { readonly most?: number; readonly timeout?: number } = {},
): void {
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
      timeout,
    );
  });
}
