import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InputError } from '../../../../src/errors.js';
import { assembleOutputs, checkOutput, checkOutputs } from '../../../../src/process/inputs.js';
import { namespace } from '../../../../src/process/namespace.js';
import { asStored, byPath, giving, linked, noRepository } from './spec-rig.js';

const spec = giving(
  z.object({
    sum: z.number(),
    note: z.string().optional(),
    steps: namespace({ last: z.number().optional() }, { dynamic: namespace({ energy: z.number() }) }),
  }),
);

describe('what a process returns', () => {
  it('is its outputs, nested as they are declared', async () => {
    const { leaves, problems } = await checkOutputs(spec, { sum: 3, steps: { one: { energy: 1 } } }, noRepository);
    expect(problems).toEqual([]);
    expect(leaves.map(({ label }) => label)).toEqual(['sum', 'steps.one.energy']);
    const { values, data } = assembleOutputs(spec, linked(leaves));
    expect(values).toEqual({ sum: 3, steps: { one: { energy: 1 } } });
    expect(data.steps.one.energy.value).toBe(1);
    expect(Object.isFrozen(values.steps.one)).toBe(true);
  });

  it('keeps the identity of data that is passed on', async () => {
    const stored = asStored({ type: 'value', content: 3 });
    const { leaves } = await checkOutputs(spec, { sum: stored }, noRepository);
    expect(leaves[0]?.data).toBe(stored);
  });

  it('has problems where an output is missing or invalid; what is good is kept', async () => {
    const given = { note: 5, steps: { last: 1, one: { energy: Number.NaN } } };
    const { leaves, problems } = await checkOutputs(spec, given, noRepository);
    expect(leaves).toEqual([{ label: 'steps.last', data: { type: 'value', content: 1 } }]);
    expect(problems).toEqual([
      'sum: is missing',
      expect.stringMatching(/^note: must be text, not 5/),
      'steps.one.energy: is NaN, which is no JSON',
    ]);
  });

  it.each([undefined, null])('may be %s where nothing is required', async (nothing) => {
    const optional = giving(z.object({ note: z.string().optional() }));
    expect(await checkOutputs(optional, nothing, noRepository)).toEqual({ leaves: [], problems: [] });
    expect(await checkOutputs(spec, nothing, noRepository)).toEqual({ leaves: [], problems: ['sum: is missing'] });
  });

  it('has problems where it is no mapping', async () => {
    expect(await checkOutputs(spec, 5, noRepository)).toEqual({ leaves: [], problems: ['must be a mapping'] });
  });

  it('is a defect of the process where an output was never declared', async () => {
    const given = { sum: 1, smu: 2, steps: { one: { energy: 1, other: 2 } } };
    const error: unknown = await checkOutputs(spec, given, noRepository).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InputError);
    expect(byPath(error)).toEqual({
      smu: 'is not declared (did you mean "sum"?)',
      'steps.one.other': 'is not declared (allowed: energy)',
    });
  });

  it('is checked as a whole as well, which is a problem and loses nothing', async () => {
    const whole = giving(
      z.object({ a: z.number(), b: z.number() }).refine(({ a, b }) => a < b, 'a must be less than b'),
    );
    const { leaves, problems } = await checkOutputs(whole, { a: 2, b: 1 }, noRepository);
    expect(leaves.map(({ label }) => label)).toEqual(['a', 'b']);
    expect(problems).toEqual(['a must be less than b']);
  });
});

describe('one output that is emitted early', () => {
  const emitted = (label: string, value: unknown) => checkOutput(spec, label, value, noRepository);
  const refused = async (label: string, value: unknown) =>
    byPath(await emitted(label, value).catch((thrown: unknown) => thrown));

  it('is checked under its dotted label', async () => {
    expect(await emitted('sum', 1)).toEqual([{ label: 'sum', data: { type: 'value', content: 1 } }]);
    expect(await emitted('steps.seven.energy', 1)).toEqual([
      { label: 'steps.seven.energy', data: { type: 'value', content: 1 } },
    ]);
  });

  it('may be a namespace, which must be complete', async () => {
    expect(await emitted('steps.seven', { energy: 7 })).toEqual([
      { label: 'steps.seven.energy', data: { type: 'value', content: 7 } },
    ]);
    expect(await refused('steps.seven', {})).toEqual({ 'steps.seven.energy': 'is missing' });
  });

  it('is refused when it is invalid', async () => {
    expect(await refused('sum', 'x')).toEqual({ sum: 'must be a number, not "x"' });
    expect(await refused('sum', undefined)).toEqual({ sum: 'is missing' });
  });

  it.each(['other', 'sum.part', 'steps.seven.other', '', 'sum.', '.sum', 'toString', 'steps.a b'])(
    'is refused when %j was never declared',
    async (label) => {
      await expect(emitted(label, 1)).rejects.toMatchObject({ code: 'bad-input' });
    },
  );
});

it('data under labels that are no longer declared is shown all the same', () => {
  const data = asStored({ type: 'value', content: 1 });
  expect(assembleOutputs(spec, [{ label: 'old.deep', data }]).values).toEqual({ old: { deep: 1 }, steps: {} });
});
