import { calcfunction, type Data, defineWorkflow, processStack, workfunction, z } from 'wherry';

/** The processes in which this runs, from the outermost to the innermost. */
const here = () => processStack().map(({ name }) => name);

/** Tells in which processes it runs, before and after others had their turn. */
export const inner = calcfunction('example.inner', async (tag: string) => {
  const before = here();
  await new Promise((resolve) => setTimeout(resolve, 5));
  return { tag, before, after: here() };
});

/** Runs two at once. */
export const middle = calcfunction('example.middle', async (tag: string) => {
  const before = here();
  const [one, other] = await Promise.all([inner(`${tag}1`), inner(`${tag}2`)]);
  return { before, after: here(), inner: [one.value, other.value] };
});

export const outer = workfunction('example.outer', async (tag: Data<string>) => {
  const before = here();
  const gave = await middle(tag);
  if (here().join() !== before.join()) throw new Error(`was in ${before}, is in ${here()}`);
  return gave;
});

/** Three processes at once, each with two levels of processes inside. */
export const Outermost = defineWorkflow({
  name: 'example.outermost',
  inputs: z.object({ tags: z.array(z.string()) }),
  outputs: z.object({ seen: z.array(z.unknown()), here: z.array(z.string()) }),
  async run(_ctx, { tags }) {
    const seen = await Promise.all(tags.map(async (tag) => (await outer(tag)).value));
    return { seen, here: here() };
  },
});
