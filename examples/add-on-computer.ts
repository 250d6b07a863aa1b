import { defineCalcJob, defineWorkflow, z } from 'wherry';

/** Adds two numbers on a computer. */
export const AddOnComputer = defineCalcJob({
  name: 'example.add-on-computer',
  inputs: z.object({ x: z.number(), y: z.number() }),
  outputs: z.object({ sum: z.number() }),
  exitCodes: { NO_RESULT: { status: 310, message: 'the result file is missing' } },
  async prepare({ inputs, folder }) {
    await folder.write('in.txt', `${inputs.x} ${inputs.y}\n`);
    return { command: ['awk', '{print $1 + $2}', 'in.txt'], stdout: 'out.txt', retrieve: ['out.txt'] };
  },
  async parse({ retrieved, exit }) {
    if (!retrieved.has('out.txt')) return exit('NO_RESULT');
    return { sum: Number(await retrieved.text('out.txt')) };
  },
});

/** Adds up the numbers below n, each on the computer. */
export const Chain = defineWorkflow({
  name: 'example.chain',
  inputs: z.object({ n: z.number() }),
  outputs: z.object({ total: z.number() }),
  async run(ctx, { n }) {
    let total = 0;
    for (let i = 0; i < n; i++) total = (await ctx.run(AddOnComputer, { x: total, y: i })).sum;
    return { total };
  },
});

/** The same from any number on. Every sum is passed on as the data that it is, so that the graph links them. */
export const LinkedChain = defineWorkflow({
  name: 'example.linked-chain',
  inputs: z.object({ start: z.number(), n: z.number() }),
  outputs: z.object({ total: z.number() }),
  async run(ctx, { n }) {
    let total = ctx.inputData.start;
    for (let i = 0; i < n; i++) total = (await ctx.submit(AddOnComputer, { x: total, y: i }).data()).sum;
    return { total };
  },
});
