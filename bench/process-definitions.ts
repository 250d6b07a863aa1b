import { z } from 'zod';
import { defineWorkflow } from '../src/workflow/define-workflow.js';
import { calcfunction } from '../src/workflow/functions.js';

/** The processes that are measured; workers load this file as a module of their profile. */

export const add = calcfunction('bench.add', (x: number, y: number) => x + y);

const number = z.object({ count: z.number() });

/** Calls a function so many times, fifty at once, and then waits for ever. */
export const AddMany = defineWorkflow({
  name: 'bench.add-many',
  inputs: number,
  outputs: z.object({}),
  async run(ctx, { count }) {
    const items = Array.from({ length: count }, (_, index) => index);
    await ctx.parallel(items, (item) => add(item, 1), { atOnce: 50 });
    await ctx.sleep(new Date('2100-01-01'));
    return {};
  },
});

/** Waits for a day that never comes. */
export const Sleeper = defineWorkflow({
  name: 'bench.sleeper',
  inputs: number,
  outputs: z.object({}),
  async run(ctx) {
    await ctx.sleep(new Date('2100-01-01'));
    return {};
  },
});

/** Calls three functions at once. */
export const Parent = defineWorkflow({
  name: 'bench.parent',
  inputs: number,
  outputs: z.object({ sum: z.number() }),
  async run(_ctx, { count }) {
    const sums = await Promise.all([add(count, 1), add(count, 2), add(count, 3)]);
    return { sum: sums.reduce((sum, { value }) => sum + value, 0) };
  },
});
