import { defineWorkflow, z } from 'wherry';

/** Submits itself with one less, and returns what that gave and one more: for n it is n levels deep. */
export const NestedWorkflow = defineWorkflow({
  name: 'nested-workflow',
  inputs: z.object({ n: z.number().int().min(0) }),
  outputs: z.object({ depth: z.number() }),
  async run(ctx, { n }): Promise<{ depth: number }> {
    if (n === 0) return { depth: 0 };
    const child = await ctx.run(NestedWorkflow, { n: n - 1 });
    return { depth: child.depth + 1 };
  },
});
