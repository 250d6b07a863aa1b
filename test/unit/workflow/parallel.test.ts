import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { calcfunction, defineWorkflow, Runner, run, z } from '../../../src/index.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
let runner: Runner;
let begun: number[] = [];
beforeEach(async () => {
  begun = [];
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterEach(async () => {
  await runner[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

const odd = calcfunction('parallel.odd', (x: number) => {
  begun.push(x);
  return x;
});

const Odds = defineWorkflow({
  name: 'parallel.odds',
  inputs: z.object({ numbers: z.array(z.number()), atOnce: z.number().optional() }),
  outputs: z.object({ found: z.string() }),
  async run(ctx, { numbers, atOnce }) {
    const work = async (x: number) => {
      if (x % 2 === 0) throw new Error(`${x} is even`);
      return (await odd(x)).value;
    };
    const found = await ctx
      .parallel(numbers, work, atOnce === undefined ? {} : { atOnce })
      .then(String, (error: unknown) => `failed: ${(error as Error).message}`);
    // Time for whatever should not come any more.
    await odd(101);
    await odd(103);
    return { found };
  },
});

describe('many in parallel', () => {
  it('give their results in the order of the items, however many at once', async () => {
    expect(await run(Odds, { numbers: [1, 3, 5, 7, 9], atOnce: 2 })).toEqual({ found: '1,3,5,7,9' });
    expect(await run(Odds, { numbers: [1, 3, 5] })).toEqual({ found: '1,3,5' });
    expect(await run(Odds, { numbers: [] })).toEqual({ found: '' });
  });

  it('end with the first failure, and begin nothing after it', async () => {
    const { found } = await run(Odds, { numbers: [2, 1, 3, 5, 7, 9, 11, 13], atOnce: 2 });
    expect(found).toBe('failed: 2 is even');
    expect(begun.filter((x) => x < 100)).toEqual([1]);
  });

  it('are at least one at once', async () => {
    expect(await run(Odds, { numbers: [1], atOnce: 0 })).toEqual({ found: 'failed: atOnce must be at least 1' });
  });
});
