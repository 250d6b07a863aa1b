import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import { WherryError } from '../../../../src/errors.js';
import {
  type Exposure,
  exposedCheck,
  exposedInputs,
  exposedOutputs,
  exposeInputs,
  exposeOutputs,
} from '../../../../src/process/expose.js';
import { namespace } from '../../../../src/process/namespace.js';
import { portAt, portsOf } from '../../../../src/process/spec.js';
import type { InputsOf } from '../../../../src/process/spec-types.js';
import { asStored, mistakes, seen, taking } from './spec-rig.js';

const Child = {
  inputs: z.object({
    a: z.number().min(1).describe('the first'),
    b: z.number().default(7),
    sub: namespace(
      {
        one: z.number().optional(),
        two: z.number().optional(),
        deep: namespace({ x: z.number().optional(), y: z.number().optional() }),
      },
      { help: 'the middle' },
    ),
  }),
  outputs: z.object({ sum: z.number(), parts: namespace({}, { dynamic: z.number() }) }),
};

/** The labels of all leaves, dynamic ones as `*`. */
function labels(schema: z.ZodObject): string[] {
  const walk = (port: ReturnType<typeof portAt>, label: string): string[] => {
    if (port?.kind !== 'namespace') return [label];
    const below = [...port.ports].map(([name, part]) => [name, part] as const);
    const all = port.dynamic === undefined ? below : [...below, ['*', port.dynamic] as const];
    return all.flatMap(([name, part]) => walk(part, label === '' ? name : `${label}.${name}`));
  };
  return walk(portsOf(schema), '').sort();
}

const all = ['a', 'b', 'sub.deep.x', 'sub.deep.y', 'sub.one', 'sub.two'];

describe('exposed inputs', () => {
  it('stand beside the own ones, with their defaults, help and checks', async () => {
    const inputs = z.object({ ...exposeInputs(Child), own: z.string() });
    expect(labels(inputs)).toEqual([...all, 'own'].sort());
    expect(await seen(inputs, { a: 1, own: 'x' })).toEqual({ a: 1, b: 7, sub: { deep: {} }, own: 'x' });
    expect(await mistakes(inputs, { a: 0, own: 'x' })).toEqual({ a: 'must be at least 1' });
    expect(portAt(portsOf(inputs), ['a'])?.help).toBe('the first');
    expect(portAt(portsOf(inputs), ['sub'])?.help).toBe('the middle');
  });

  it('may be replaced by what is spread after them', async () => {
    const inputs = z.object({ ...exposeInputs(Child), a: z.number().default(3) });
    expect(await seen(inputs, {})).toMatchObject({ a: 3, b: 7 });
  });

  it('stand in a namespace, also in a nested one', async () => {
    const inputs = z.object({
      ...exposeInputs(Child, { namespace: 'child' }),
      ...exposeInputs(Child, { namespace: 'x.y' }),
    });
    expect(labels(inputs)).toEqual([...all.map((label) => `child.${label}`), ...all.map((label) => `x.y.${label}`)]);
    expect(await seen(inputs, { child: { a: 1 }, x: { y: { a: 2 } } })).toMatchObject({
      child: { a: 1, b: 7 },
      x: { y: { a: 2, b: 7 } },
    });
    expectTypeOf<InputsOf<{ inputs: typeof inputs }>['x']['y']['a']>().toExtend<unknown>();
  });

  it('leave the schema of the child as it was', () => {
    exposeInputs(Child, { namespace: 'child', exclude: ['a', 'sub.one'], options: { optional: true } });
    expect(labels(Child.inputs)).toEqual(all);
  });

  it.each<[Exposure, string[]]>([
    [{ include: ['a'] }, ['a']],
    [{ include: ['sub'] }, ['sub.deep.x', 'sub.deep.y', 'sub.one', 'sub.two']],
    [{ include: ['sub.one'] }, ['sub.one']],
    [{ include: ['sub.one', 'sub.deep.y', 'b'] }, ['b', 'sub.deep.y', 'sub.one']],
    [{ include: [] }, []],
    [{ exclude: [] }, all],
    [{ exclude: ['sub'] }, ['a', 'b']],
    [{ exclude: ['sub.deep'] }, ['a', 'b', 'sub.one', 'sub.two']],
    [{ exclude: ['sub.deep.x', 'a'] }, ['b', 'sub.deep.y', 'sub.one', 'sub.two']],
    [{ exclude: ['sub.one', 'sub.two'] }, ['a', 'b', 'sub.deep.x', 'sub.deep.y']],
  ])('are chosen by %j', (options, expected) => {
    expect(labels(z.object(exposeInputs(Child, options) as z.core.$ZodLooseShape))).toEqual(expected);
    const below = z.object(exposeInputs(Child, { ...options, namespace: 'n' }) as z.core.$ZodLooseShape);
    expect(labels(below)).toEqual(expected.map((label) => `n.${label}`));
  });

  it('keep a dynamic namespace dynamic', async () => {
    const Dynamic = { inputs: z.object({ n: z.number() }).catchall(z.string()) };
    const inputs = z.object({ ...exposeInputs(Dynamic, { namespace: 'child', exclude: ['n'] }) });
    expect(await seen(inputs, { child: { any: 'text' } })).toEqual({ child: { any: 'text' } });
    expect(await mistakes(inputs, { child: { any: 1 } })).toHaveProperty(['child.any']);
  });

  it('become what the options say', async () => {
    const inputs = z.object(
      exposeInputs(Child, { namespace: 'child', options: { optional: true, help: 'other', dynamic: z.boolean() } }),
    );
    expect(await seen(inputs, {})).toEqual({});
    expect(await seen(inputs, { child: { a: 1, more: true } })).toEqual({
      child: { a: 1, b: 7, sub: { deep: {} }, more: true },
    });
    expect(portAt(portsOf(inputs), ['child'])?.help).toBe('other');
  });

  it.each<[string, Exposure]>([
    ['include and exclude cannot both be given', { include: ['a'], exclude: ['b'] }],
    ['there are no ports c, sub.three, a.x to expose', { include: ['c', 'a', 'sub.three', 'a.x'] }],
    ['there are no ports d', { exclude: ['d'] }],
    ['a namespace has no option "requird"', { namespace: 'n', options: { requird: true } }],
    ['options are those of a namespace', { options: { optional: true } }],
  ])('are refused: %s', (message, options) => {
    expect(() => exposeInputs(Child, options)).toThrow(message);
    expect(() => exposeInputs(Child, options)).toThrow(WherryError);
  });
});

describe('the checks of a whole namespace', () => {
  const Checked = {
    inputs: z
      .object({
        one: z.number().optional(),
        sub: namespace({ x: z.number().optional(), y: z.number().optional() }).refine(
          (sub) => sub.x !== undefined,
          'x is needed',
        ),
      })
      .refine(({ one }) => one !== undefined, 'one is needed'),
  };

  it('go along with all of it', async () => {
    const inputs = z.object(exposeInputs(Checked, { namespace: 'child' }));
    expect(await mistakes(inputs, { child: { one: 1 } })).toEqual({ 'child.sub': 'x is needed' });
    expect(await mistakes(inputs, { child: { sub: { x: 1 } } })).toEqual({ child: 'one is needed' });
  });

  it('are not brought back for a port that was excluded', async () => {
    const withoutX = z.object(exposeInputs(Checked, { namespace: 'child', exclude: ['one', 'sub.x'] }));
    expect(await mistakes(withoutX, { child: { sub: { y: 1 } } })).toEqual({});
    const withoutSub = z.object(exposeInputs(Checked, { exclude: ['sub'] }));
    expect(await mistakes(withoutSub, { one: 1 })).toEqual({});
  });

  it('stay where only something else was excluded', async () => {
    const inputs = z.object(exposeInputs(Checked, { exclude: ['one'] }));
    expect(await mistakes(inputs, { sub: { y: 1 } })).toEqual({ sub: 'x is needed' });
  });
});

describe('the checks of all inputs of a child', () => {
  const Interval = {
    inputs: z
      .object({ from: z.number(), to: z.number().default(5), unit: z.string().optional() })
      .refine(({ from, to }) => from < to, { path: ['to'], error: 'must come after from' })
      .refine(async (given) => !('own' in given), 'sees what is not its own'),
  };
  const inputs = z.object({ ...exposeInputs(Interval), own: z.string() }).check(exposedCheck(Interval));

  it('are made where its inputs stand beside others', async () => {
    expect(await mistakes(inputs, { from: 7, own: 'x' })).toEqual({ to: 'must come after from' });
    expect(await seen(inputs, { from: 1, own: 'x' })).toEqual({ from: 1, to: 5, own: 'x' });
  });

  it('are left to the child without that', async () => {
    expect(await mistakes(z.object({ ...exposeInputs(Interval), own: z.string() }), { from: 7, own: 'x' })).toEqual({});
  });

  it('are none where it makes none', async () => {
    expect(await mistakes(z.object(exposeInputs(Child)).check(exposedCheck(Child)), { a: 1 })).toEqual({});
  });
});

describe('the part of a child', () => {
  const two = asStored({ type: 'value', content: 2 });

  it('is picked out of a namespace, with the data that it is', () => {
    const inputs = { child: { a: two, sub: { one: 1 } }, own: 5 };
    const part = exposedInputs(Child, inputs, { namespace: 'child' });
    expect(part).toEqual({ a: two, sub: { one: 1 } });
    expect(part.a).toBe(two);
  });

  it('is picked from beside other ports', () => {
    expect(exposedInputs(Child, { a: 1, own: 5 })).toEqual({ a: 1 });
  });

  it('has nothing that was not exposed', () => {
    const options = { exclude: ['a', 'sub.one'] } as const;
    expect(exposedInputs(Child, { a: 1, b: 2, sub: { one: 1, two: 2 } }, options)).toEqual({ b: 2, sub: { two: 2 } });
  });

  it('is empty where the namespace was left out', () => {
    expect(exposedInputs(Child, {}, { namespace: 'x.y' })).toEqual({});
  });

  it('goes with more to the child', () => {
    const options = { namespace: 'child', exclude: ['a'] } as const;
    const part = { ...exposedInputs(Child, { child: { b: 2 } }, options), a: 1 };
    expectTypeOf(part).toExtend<InputsOf<typeof Child>>();
    expect(part).toEqual({ a: 1, b: 2 });
  });

  it('takes entries without a name only from a namespace of its own', () => {
    const Dynamic = { inputs: z.object({ n: z.number() }).catchall(z.number()) };
    expect(exposedInputs(Dynamic, { n: 1, m: 2 })).toEqual({ n: 1 });
    expect(exposedInputs(Dynamic, { d: { n: 1, m: 2 } }, { namespace: 'd' })).toEqual({ n: 1, m: 2 });
  });
});

describe('exposed outputs', () => {
  it('are declared and given under the same namespace', async () => {
    const outputs = z.object(exposeOutputs(Child, { namespace: 'child' }));
    expect(labels(outputs)).toEqual(['child.parts.*', 'child.sum']);
    const given = exposedOutputs(Child, { sum: 3, parts: { one: 1 } }, { namespace: 'child' });
    expect(given).toEqual({ child: { sum: 3, parts: { one: 1 } } });
    expect(await mistakes(outputs, given)).toEqual({});
  });

  it('are declared and given beside others, but for those left out', () => {
    const options = { exclude: ['parts'] } as const;
    expect(labels(z.object(exposeOutputs(Child, options)))).toEqual(['sum']);
    expect(exposedOutputs(Child, { sum: 3, parts: { one: 1 } }, options)).toEqual({ sum: 3 });
  });
});

it('a process that exposes what another exposed takes the same', async () => {
  const Middle = { inputs: z.object({ ...exposeInputs(Child, { namespace: 'child', exclude: ['sub'] }) }) };
  const outer = z.object({ ...exposeInputs(Middle, { namespace: 'middle' }) });
  expect(labels(outer)).toEqual(['middle.child.a', 'middle.child.b']);
  expect(taking(outer).inputs).toBe(outer);
});
