import { calcfunction, defineWorkflow, z } from 'wherry';

export const logarithm = calcfunction('example.logarithm', (x: number) => {
  if (x <= 0) throw new RangeError(`${x} has no logarithm`);
  return Math.log(x);
});

/** The logarithms of many numbers, a few at a time; what has none is left out. */
export const Survey = defineWorkflow({
  name: 'example.survey',
  inputs: z.object({ numbers: z.array(z.number()) }),
  outputs: z.object({ sum: z.number(), leftOut: z.array(z.number()) }),
  exitCodes: { NONE: { status: 300, message: 'none of {count} numbers has a logarithm' } },
  async run(ctx, { numbers }) {
    const logarithms = await ctx.parallel(
      numbers,
      async (x) => {
        const { ok, outputs, reason } = await ctx.submit(logarithm, { x }).result();
        if (ok) return Number(outputs.result);
        ctx.report(`left out: ${reason}`);
        return undefined;
      },
      { atOnce: 4 },
    );
    const known = logarithms.filter((one) => one !== undefined);
    if (known.length === 0) ctx.exit('NONE', { count: numbers.length });
    return {
      sum: known.reduce((sum, one) => sum + one, 0),
      leftOut: numbers.filter((_, index) => logarithms[index] === undefined),
    };
  },
});
