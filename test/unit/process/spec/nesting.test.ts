import fc from 'fast-check';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { Data } from '../../../../src/process/data.js';
import { assembleInputs, checkInputs } from '../../../../src/process/inputs.js';
import { namespace } from '../../../../src/process/namespace.js';
import { linked, noRepository, taking } from './spec-rig.js';

/** A namespace as it is declared, and something that may be given for it. */
interface Tree {
  readonly [name: string]: Tree | Leaf;
}
interface Leaf {
  readonly value: unknown;
  readonly way: 'required' | 'given although optional' | 'left out' | 'default' | 'dynamic';
}

const isLeaf = (node: Tree | Leaf): node is Leaf => 'way' in node;

const name = fc.stringMatching(/^[A-Z][a-z0-9_-]{0,3}$/);
const leaf: fc.Arbitrary<Leaf> = fc.record({
  value: fc.jsonValue({ maxDepth: 2 }),
  way: fc.constantFrom('required', 'given although optional', 'left out', 'default', 'dynamic'),
});
const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
  tree: fc.dictionary(name, fc.oneof({ depthSize: 'small' }, leaf, tie('tree')), { maxKeys: 5 }),
}));

function declared(tree: Tree): z.core.$ZodLooseShape {
  const shape: Record<string, z.ZodType> = {};
  for (const [key, node] of Object.entries(tree)) {
    if (!isLeaf(node)) shape[key] = namespace(declared(node), { dynamic: z.any() });
    else if (node.way === 'required') shape[key] = z.any();
    else if (node.way === 'default') shape[key] = z.any().default(() => node.value);
    else if (node.way !== 'dynamic') shape[key] = z.any().optional();
  }
  return shape;
}

function filled(tree: Tree, wanted: (leaf: Leaf) => boolean): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const [key, node] of Object.entries(tree)) {
    if (!isLeaf(node)) entries.push([key, filled(node, wanted)]);
    else if (wanted(node)) entries.push([key, node.value]);
  }
  return Object.fromEntries(entries);
}

function isFrozen(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozen);
}

it('whatever the nesting, a process sees what was given and the defaults, frozen, and data in the same places', async () => {
  await fc.assert(
    fc.asyncProperty(tree, async (shape) => {
      const spec = taking(z.object(declared(shape)).catchall(z.any()));
      const given = filled(shape, ({ way }) => way !== 'left out' && way !== 'default');
      const before = JSON.stringify(given);
      const leaves = await checkInputs(spec, given, noRepository);
      expect(JSON.stringify(given)).toBe(before);
      const { values, data } = assembleInputs(spec, linked(leaves));
      const expected = filled(shape, ({ way }) => way !== 'left out');
      // Negative zero is no JSON.
      expect(values).toEqual(JSON.parse(JSON.stringify(expected)));
      expect(isFrozen(values)).toBe(true);
      expect(valuesOf(data)).toEqual(values);
      // Given again as data, everything is the same piece as before.
      const again = await checkInputs(spec, data, noRepository);
      expect(again.every((one) => one.data instanceof Data)).toBe(true);
      expect(again.map(({ label }) => label).sort()).toEqual(leaves.map(({ label }) => label).sort());
    }),
    { numRuns: 200 },
  );
});

function valuesOf(data: unknown): unknown {
  if (data instanceof Data) return data.value;
  return Object.fromEntries(Object.entries(data as object).map(([key, part]) => [key, valuesOf(part)]));
}
