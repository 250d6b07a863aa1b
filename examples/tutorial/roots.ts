import { calcfunction, defineCalcJob, defineRestartWorkflow, defineWorkflow, z } from 'wherry';

/** The square root of a number, by some steps of Newton's method. */
export const Root = defineCalcJob({
  name: 'tutorial.root',
  inputs: z.object({
    number: z.number().positive(),
    guess: z.number().positive().default(1),
    steps: z.number().int().min(1).default(3),
  }),
  outputs: z.object({ root: z.number() }),
  exitCodes: {
    NO_RESULT: { status: 300, message: 'the result file is missing' },
    NOT_CONVERGED: { status: 310, message: 'the square of {root} is wrong by {error}' },
  },
  async prepare({ inputs: { number, guess, steps }, folder }) {
    await folder.write('in.txt', `${number} ${guess} ${steps}\n`);
    const program = '{ x = $2; for (i = 0; i < $3; i++) x = (x + $1 / x) / 2; printf "%.12f\\n", x }';
    return { command: ['awk', program, 'in.txt'], stdout: 'out.txt', retrieve: ['out.txt'] };
  },
  async parse({ inputs: { number }, retrieved, exit }) {
    if (!retrieved.has('out.txt')) return exit('NO_RESULT');
    const root = Number(await retrieved.text('out.txt'));
    const error = root * root - number;
    if (Math.abs(error) > 1e-6) return exit('NOT_CONVERGED', { root, error: error.toPrecision(2) }, { root });
    return { root };
  },
});

/** As many steps as it takes. */
export const PatientRoot = defineRestartWorkflow({
  name: 'tutorial.patient-root',
  of: Root,
  handlers: {
    goOn: {
      exitCodes: ['NOT_CONVERGED'],
      handle: ({ result }) => ({ inputs: { guess: result.data.root } }),
    },
  },
});

/** The sum of two squares. */
export const squares = calcfunction('tutorial.squares', (x: number, y: number) => x * x + y * y);

/** How far a point is from the origin. */
export const Distance = defineWorkflow({
  name: 'tutorial.distance',
  inputs: z.object({ x: z.number(), y: z.number() }),
  outputs: z.object({ distance: z.number() }),
  async run(ctx, { x, y }) {
    const number = await squares(x, y);
    const { root } = await ctx.run(PatientRoot, { number });
    ctx.report(`the root of ${number.value} is ${root}`);
    return { distance: root };
  },
});
