import { defineRestartWorkflow } from 'wherry';
import { Root } from './tutorial/roots.js';

/** A root as precise as it can be, however long that takes. */
export const CarefulRoot = defineRestartWorkflow({
  name: 'example.careful-root',
  of: Root,
  exitCodes: { HOPELESS: { status: 400, message: '{number} is too large' } },
  handlers: {
    hopeless: {
      priority: 100,
      handle({ ctx, inputs }) {
        if (inputs.number > 1e12) ctx.exit('HOPELESS', { number: inputs.number });
      },
    },
    moreTime: {
      exitCodes: ['OUT_OF_WALLTIME'],
      handle: ({ job }) => ({ job: { resources: { walltime: 2 * Number(job.resources?.walltime ?? 600) } } }),
    },
    goOn: {
      exitCodes: ['NOT_CONVERGED'],
      handle: ({ result, inputs }) => ({ inputs: { guess: result.data.root, steps: 2 * inputs.steps } }),
    },
    isPrecise: {
      exitCodes: [0],
      handle({ result, inputs }) {
        if (result.outputs.root !== inputs.guess) return { inputs: { guess: result.data.root } };
        return undefined;
      },
    },
  },
});
