import { defineWorkflow, exposedInputs, exposeInputs, file, namespace, z } from 'wherry';

/** The energy of atoms in a row that springs hold together. */
export const Energy = defineWorkflow({
  name: 'example.energy',
  description: 'The energy of atoms in a row that springs hold together.',
  inputs: z.object({
    structure: file().describe('the places of the atoms, one in each line'),
    springs: namespace(
      {
        stiffness: z.number().positive().default(1),
        length: z.number().min(0).default(1).describe('at rest'),
      },
      { help: 'between neighbours' },
    ),
  }),
  outputs: z.object({ energy: z.number() }),
  exitCodes: { TOO_FEW: { status: 300, message: 'there are {count} atoms, and two are needed' } },
  async run(ctx, { structure, springs }) {
    const places = await ctx.step('read', async () => (await structure.text()).trim().split('\n').map(Number));
    if (places.length < 2) return ctx.exit('TOO_FEW', { count: places.length });
    const stretched = places.slice(1).map((place, index) => place - (places[index] ?? 0) - springs.length);
    return { energy: stretched.reduce((sum, by) => sum + (springs.stiffness / 2) * by ** 2, 0) };
  },
});

const energy = { namespace: 'energy', exclude: ['structure'] } as const;

/** Which of several structures has the lowest energy. */
export const Lowest = defineWorkflow({
  name: 'example.lowest',
  inputs: z.object({
    structures: namespace({}, { dynamic: file() }).refine(
      (structures) => Object.keys(structures).length > 0,
      'there must be one at least',
    ),
    ...exposeInputs(Energy, energy),
  }),
  outputs: z.object({ lowest: z.string(), energies: namespace({}, { dynamic: z.number() }) }),
  async run(ctx, inputs) {
    const common = exposedInputs(Energy, inputs, energy);
    const found = await ctx.parallel(Object.entries(inputs.structures), async ([name, structure]) => {
      const outputs = await ctx.run(Energy, { ...common, structure });
      return [name, outputs.energy] as const;
    });
    const [lowest] = found.toSorted(([, one], [, other]) => one - other)[0] ?? [''];
    return { lowest, energies: Object.fromEntries(found) };
  },
});
