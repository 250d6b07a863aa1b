import { describe, expect, it } from 'vitest';
import { planOf } from './plan.js';
import { simulate } from './simulation.js';

/** What a run leaves behind, in the order in which it happened. */
async function storyOf(seed: number): Promise<string[]> {
  const { cluster, events } = await simulate(planOf(seed));
  return [...cluster.log, ...events.map(({ at, type, process_id, data }) => `${at} ${type} ${process_id} ${data}`)];
}

describe('a seed', () => {
  it.each([2, 3, 10, 19, 24, 1018])('plays exactly the same story each time (seed %i)', async (seed) => {
    const first = await storyOf(seed);
    expect(first.length).toBeGreaterThan(10);
    expect(await storyOf(seed)).toEqual(first);
  });
});
