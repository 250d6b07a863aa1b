import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { WherryError } from '../../../../src/errors.js';
import { LocalFile } from '../../../../src/process/data.js';
import { checkInputs } from '../../../../src/process/inputs.js';
import { file, folder, namespace } from '../../../../src/process/namespace.js';
import { portAt, portsOf } from '../../../../src/process/spec.js';
import { asStored, mistakes, noRepository, seen, taking } from './spec-rig.js';

/** A check that remembers what it was asked. */
function watching<Value>(answer: (value: Value) => boolean = () => true) {
  const asked: Value[] = [];
  const check = (value: Value) => {
    asked.push(value);
    return answer(value);
  };
  return { asked, check };
}

describe('a port', () => {
  it('must be given unless it is optional or has a default', async () => {
    const inputs = z.object({ a: z.number(), b: z.number().optional(), c: z.number().default(1), d: z.unknown() });
    expect(await mistakes(inputs, {})).toEqual({ a: 'is missing', d: 'is missing' });
  });

  it.each<[string, z.ZodType, unknown]>([
    ['optional', z.number().optional(), {}],
    ['optional when it is there', z.number().exactOptional(), {}],
    ['nullish', z.number().nullish(), {}],
    ['either a number or undefined', z.union([z.number(), z.undefined()]), {}],
    ['undefined', z.undefined(), {}],
    ['optional, around a default', z.number().default(5).optional(), { x: 5 }],
    ['replaced when it is bad', z.number().catch(6), { x: 6 }],
    ['made of what is not there', z.preprocess((value) => value ?? 7, z.number()), { x: 7 }],
    [
      'transformed after its default',
      z
        .number()
        .default(7)
        .transform((value) => value + 1),
      { x: 8 },
    ],
  ])('may be left out when it is %s', async (_what, schema, expected) => {
    expect(await seen(z.object({ x: schema }), {})).toEqual(expected);
    expect(await seen(z.object({ x: schema }), { x: undefined })).toEqual(expected);
  });

  it('takes what its schema takes; all that is wrong is told at once, with paths', async () => {
    const inputs = z.object({
      n: z.number(),
      list: z.array(z.object({ name: z.string().min(1) })),
      sub: namespace({ deep: namespace({ whole: z.int() }) }),
      either: z.union([z.number(), z.enum(['a', 'b'])]),
    });
    const given = { n: 'x', list: [{ name: 'a' }, { name: '' }], sub: { deep: { whole: 1.5 } }, either: null, more: 1 };
    expect(await mistakes(inputs, given)).toEqual({
      n: 'must be a number, not "x"',
      'list[1].name': 'is empty',
      'sub.deep.whole': 'must be a whole number, not 1.5',
      either: 'is empty, must be a number or one of "a", "b"',
      more: 'is not declared (allowed: n, list, sub, either)',
    });
  });

  it('names the process and what it was that is wrong', async () => {
    await expect(checkInputs(taking(z.object({ a: z.number() })), { b: 1 }, noRepository)).rejects.toThrow(
      'inputs of test.taking: a: is missing\ninputs of test.taking: b: is not declared',
    );
  });

  it('refuses what is not declared, and guesses what was meant', async () => {
    expect(await mistakes(z.object({ walltime: z.number() }), { waltime: 1, walltime: 2 })).toEqual({
      waltime: 'is not declared (did you mean "walltime"?)',
    });
  });

  it('is checked by its own check, which may be asynchronous', async () => {
    const even = z.number().refine(async (value) => value % 2 === 0, 'must be even');
    expect(await mistakes(z.object({ n: even }), { n: 3 })).toEqual({ n: 'must be even' });
    expect(await mistakes(z.object({ n: even }), { n: 4 })).toEqual({});
  });

  it('is not checked when it is optional and was not given', async () => {
    const { asked, check } = watching<number>();
    const inputs = z.object({ n: z.number().refine(check).optional() });
    await seen(inputs, {});
    expect(asked).toEqual([]);
    await seen(inputs, { n: 1 });
    expect(asked).toEqual([1]);
  });

  it('is wrong where its check throws, with the words of that', async () => {
    const broken = z.number().refine(() => {
      throw new Error('no table of elements');
    });
    expect(await mistakes(z.object({ n: broken, m: z.number() }), { n: 1 })).toEqual({
      n: 'could not be checked: no table of elements',
      m: 'is missing',
    });
  });

  it('is JSON also after its check had its hands on it', async () => {
    const meddling = z.any().refine((value) => {
      value.time = new Date(0);
      return true;
    });
    const wrong = await mistakes(z.object({ any: meddling }), { any: {} });
    expect(wrong.any).toMatch(/^could not be checked: .*not extensible/);
  });
});

describe('a default', () => {
  it('is computed anew each time that it is needed, and not before', async () => {
    let count = 0;
    const inputs = z.object({ n: z.number().default(() => ++count) });
    portsOf(inputs);
    expect(count).toBe(0);
    expect(await seen(inputs, { n: 7 })).toEqual({ n: 7 });
    expect(count).toBe(0);
    expect(await seen(inputs, {})).toEqual({ n: 1 });
    expect(await seen(inputs, {})).toEqual({ n: 2 });
  });

  it('is checked like what is given', async () => {
    const inputs = z.object({
      few: z.number().max(3).default(5),
      lazy: z.array(z.number()).default(() => ['one' as never]),
      failing: z.number().default(() => {
        throw new Error('no clock');
      }),
      unstorable: z.any().default(() => Number.NaN),
      sub: namespace({ text: z.string() }).default({ text: 1 as never }),
    });
    expect(await mistakes(inputs, {})).toEqual({
      few: 'its default must be at most 3',
      'lazy[0]': 'its default must be a number, not "one"',
      failing: 'its default could not be computed: no clock',
      unstorable: 'its default is NaN, which is no JSON',
      'sub.text': expect.stringMatching(/^its default must be text, not 1/),
    });
  });

  it('of a schema that transforms stands for the result', async () => {
    const inputs = z.object({
      length: z
        .string()
        .transform((text) => text.length)
        .default(5),
      given: z
        .string()
        .transform((text) => text.length)
        .prefault('four'),
    });
    expect(await seen(inputs, {})).toEqual({ length: 5, given: 4 });
    expect(await seen(inputs, { length: 'ab' })).toEqual({ length: 2, given: 4 });
  });

  it('of a namespace may be replaced as a whole', async () => {
    const inputs = z.object({ sub: namespace({ a: z.number(), b: z.number().default(2) }).default({ a: 1, b: 1 }) });
    expect(await seen(inputs, {})).toEqual({ sub: { a: 1, b: 1 } });
    expect(await seen(inputs, { sub: { a: 5 } })).toEqual({ sub: { a: 5, b: 2 } });
  });

  it('is no data that two processes share', async () => {
    const inputs = taking(z.object({ list: z.array(z.number()).default([1]) }));
    const [one] = await checkInputs(inputs, {}, noRepository);
    const [other] = await checkInputs(inputs, {}, noRepository);
    expect(one).toEqual(other);
    expect(one?.data).not.toBe(other?.data);
  });
});

describe('a namespace', () => {
  it('fills in the defaults in it, and is there when it is not optional', async () => {
    const inputs = z.object({ sub: namespace({ a: z.number().default(1), deep: namespace({}) }) });
    expect(await seen(inputs, {})).toEqual({ sub: { a: 1, deep: {} } });
  });

  it('tells what is missing in it also when it was not given at all', async () => {
    const inputs = z.object({ sub: namespace({ a: z.number(), deep: namespace({ b: z.string() }) }) });
    expect(await mistakes(inputs, {})).toEqual({ 'sub.a': 'is missing', 'sub.deep.b': 'is missing' });
  });

  it.each([null, 1, 'text', [], new Map(), new Date(0), () => ({})])('must be a mapping, not %j', async (given) => {
    const inputs = z.object({ sub: namespace({ a: z.number().optional() }) });
    expect(await mistakes(inputs, { sub: given })).toEqual({ sub: 'must be a mapping' });
  });

  it('cannot be given as one piece of data', async () => {
    const inputs = z.object({ sub: namespace({ a: z.number() }) });
    expect(await mistakes(inputs, { sub: asStored({ type: 'value', content: { a: 1 } }) })).toEqual({
      sub: 'must be a mapping, not a value: each of its entries is data of its own',
    });
  });

  it.each([null, 1, []])('of all inputs must be a mapping, not %j', async (given) => {
    expect(await mistakes(z.object({}), given)).toEqual({ '': 'must be a mapping' });
  });

  it('takes only the own entries of what is given', async () => {
    const inputs = z.object({ toString: z.number().optional(), a: z.number().optional() });
    expect(await seen(inputs, {})).toEqual({});
    expect(await seen(inputs, Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 });
  });
});

describe('an optional namespace', () => {
  const inputs = z.object({ sub: namespace({ a: z.number(), b: z.number().default(2) }, { optional: true }) });

  it('is absent when it was not given, whatever in it is required', async () => {
    expect(await seen(inputs, {})).toEqual({});
  });

  it('is complete when it was given', async () => {
    expect(await seen(inputs, { sub: { a: 1 } })).toEqual({ sub: { a: 1, b: 2 } });
    expect(await mistakes(inputs, { sub: {} })).toEqual({ 'sub.a': 'is missing' });
  });

  it('is kept when it was given empty', async () => {
    const loose = z.object({ sub: namespace({ a: z.number().optional() }, { optional: true }) });
    expect(await seen(loose, { sub: {} })).toEqual({ sub: {} });
    expect(await seen(loose, {})).toEqual({});
  });

  it('is there when defaults alone make it complete', async () => {
    const filled = { a: z.number().default(1), b: z.number().optional() };
    expect(await seen(z.object({ sub: namespace(filled, { optional: true }) }), {})).toEqual({ sub: { a: 1 } });
    const nested = namespace({ deep: namespace(filled, { optional: true }) }, { optional: true });
    expect(await seen(z.object({ nested }), {})).toEqual({ nested: { deep: { a: 1 } } });
  });

  it('is absent all the same when it does not populate defaults', async () => {
    const sub = namespace({ a: z.number().default(1) }, { optional: true, populateDefaults: false });
    expect(await seen(z.object({ sub }), {})).toEqual({});
    expect(await seen(z.object({ sub }), { sub: {} })).toEqual({ sub: { a: 1 } });
  });
});

describe('the check of a namespace', () => {
  const exclusive = namespace({ a: z.number().optional(), b: z.number().optional() }).refine(
    ({ a, b }) => (a === undefined) !== (b === undefined),
    'needs either a or b',
  );

  it('sees the whole', async () => {
    const inputs = z.object({ sub: exclusive });
    expect(await mistakes(inputs, { sub: { a: 1, b: 2 } })).toEqual({ sub: 'needs either a or b' });
    expect(await mistakes(inputs, {})).toEqual({ sub: 'needs either a or b' });
    expect(await mistakes(inputs, { sub: { a: 1 } })).toEqual({});
  });

  it('comes only when all entries are good, those in namespaces below it as well', async () => {
    const { asked, check } = watching<unknown>(() => false);
    const inputs = z
      .object({ n: z.number(), sub: namespace({ a: z.number().default(1) }) })
      .refine(check, 'never good');
    expect(await mistakes(inputs, { n: 'x' })).toEqual({ n: 'must be a number, not "x"' });
    expect(await mistakes(inputs, { n: 1, sub: { a: null } })).toEqual({ 'sub.a': 'is empty, must be a number' });
    expect(asked).toEqual([]);
    expect(await mistakes(inputs, { n: 1 })).toEqual({ '': 'never good' });
    expect(asked).toEqual([{ n: 1, sub: { a: 1 } }]);
  });

  it('sees values, also where data was given', async () => {
    const { asked, check } = watching<unknown>();
    await seen(z.object({ n: z.number() }).refine(check), { n: asStored({ type: 'value', content: 3 }) });
    expect(asked).toEqual([{ n: 3 }]);
  });

  it('does not come when the namespace is absent', async () => {
    const { asked, check } = watching<unknown>(() => false);
    const sub = namespace({ a: z.number() }).refine(check).optional();
    expect(await seen(z.object({ sub }), {})).toEqual({});
    expect(asked).toEqual([]);
  });

  it('may point at one entry, and may be asynchronous', async () => {
    const inputs = z.object({
      sub: namespace({ from: z.number(), to: z.number() }).refine(async ({ from, to }) => from < to, {
        path: ['to'],
        message: 'must be more than from',
      }),
    });
    expect(await mistakes(inputs, { sub: { from: 2, to: 1 } })).toEqual({ 'sub.to': 'must be more than from' });
  });

  it('does not ask the checks of entries again', async () => {
    const { asked, check } = watching<number>();
    await seen(
      z.object({ n: z.number().refine(check) }).refine(() => true),
      { n: 1 },
    );
    expect(asked).toEqual([1]);
  });
});

describe('a dynamic namespace', () => {
  const inputs = z.object({ sub: namespace({ named: z.string().optional() }, { dynamic: z.number() }) });

  it('checks every entry by its schema, and those with a name by their own', async () => {
    expect(await seen(inputs, { sub: { Si: 1, named: 'x' } })).toEqual({ sub: { Si: 1, named: 'x' } });
    expect(await mistakes(inputs, { sub: { Si: 'x', 'k-points': null, named: 1 } })).toEqual({
      'sub.named': expect.stringMatching(/^must be text/),
      'sub.Si': 'must be a number, not "x"',
      'sub.k-points': 'is empty, must be a number',
    });
  });

  it('has namespaces below it, checked at their leaves', async () => {
    const nested = z.object({ sub: namespace({}, { dynamic: namespace({}, { dynamic: z.number() }) }) });
    expect(await seen(nested, { sub: { a: { x: 1 }, b: {} } })).toEqual({ sub: { a: { x: 1 }, b: {} } });
    expect(await mistakes(nested, { sub: { a: { x: 'y', z: [1] }, b: 1 } })).toEqual({
      'sub.a.x': 'must be a number, not "y"',
      'sub.a.z': 'must be a number, not a list',
      'sub.b': 'must be a mapping',
    });
  });

  it.each([
    ['a.b', 'sub["a.b"]'],
    ['a b', 'sub["a b"]'],
    ['', 'sub[""]'],
    ['\u202e', 'sub["\u202e"]'],
    ['x'.repeat(201), `sub.${'x'.repeat(201)}`],
  ])('has no entry of the name %j', async (name, path) => {
    const wrong = await mistakes(inputs, { sub: { [name]: 1 } });
    expect(Object.keys(wrong)).toEqual([path]);
    expect(wrong[path]).toMatch(/^the name of a port/);
  });

  it('does not take a prototype for an entry', async () => {
    const given: unknown = JSON.parse('{"sub": {"__proto__": 1}}');
    expect(Object.values(await mistakes(inputs, given))).toEqual([expect.stringContaining('__proto__')]);
  });

  it('leaves out what is undefined', async () => {
    expect(await seen(inputs, { sub: { Si: undefined } })).toEqual({ sub: {} });
  });
});

describe('a definition', () => {
  it('is refused with all that is wrong in it', () => {
    const inputs = z.object({
      'a.b': z.number(),
      files: z.array(file()),
      maybe: z.union([folder(), z.string()]),
      sub: namespace({ 'c d': z.number() }).nullable(),
      deep: z.object({ inner: namespace({}) }),
      changed: file().transform((given) => given.name),
      open: namespace({}, { dynamic: z.array(file()) }),
    });
    expect(() => portsOf(inputs)).toThrow(WherryError);
    const text = messageOfThrown(() => portsOf(inputs));
    expect(text.split('\n')).toEqual([
      '"a.b": the name of a port has dots, spaces or invisible characters, or is __proto__',
      'files: a file cannot be inside of a value; make a namespace of what is around it',
      'maybe: a folder cannot be inside of a value; make a namespace of what is around it',
      'sub: a namespace cannot be null; it may be optional',
      'sub."c d": the name of a port has dots, spaces or invisible characters, or is __proto__',
      'deep: a namespace cannot be inside of a value; make a namespace of what is around it',
      'changed: a file cannot be inside of a value; make a namespace of what is around it',
      'open.*: a file cannot be inside of a value; make a namespace of what is around it',
    ]);
  });

  it('may be recursive in a value', async () => {
    type Tree = { readonly value: number; readonly left?: Tree | undefined };
    const tree: z.ZodType<Tree> = z.object({ value: z.number(), left: z.lazy(() => tree).optional() });
    expect(await seen(z.object({ tree }), { tree: { value: 1, left: { value: 2 } } })).toEqual({
      tree: { value: 1, left: { value: 2 } },
    });
  });

  it('keeps what a port is through everything that is said of it', () => {
    const port = file()
      .refine(() => true)
      .describe('where the atoms are')
      .optional();
    const found = portAt(portsOf(z.object({ a: namespace({ b: port }).refine(() => true) }).describe('x')), ['a', 'b']);
    expect(found).toMatchObject({ kind: 'file', optional: true, help: 'where the atoms are' });
  });

  it('finds ports by their path, and none where none is', () => {
    const root = portsOf(z.object({ a: namespace({ b: z.number() }, { dynamic: z.string() }), c: z.number() }));
    expect(portAt(root, [])).toBe(root);
    expect(portAt(root, ['a', 'b'])?.kind).toBe('value');
    expect(portAt(root, ['a', 'other'])?.kind).toBe('value');
    for (const path of [['b'], ['c', 'x'], ['a', 'b', 'x'], ['toString']]) expect(portAt(root, path)).toBeUndefined();
  });
});

describe('a function', () => {
  it('that is given is not called', async () => {
    const { asked, check } = watching<unknown>();
    expect(await mistakes(z.object({ n: z.number(), any: z.any() }), { n: check, any: check })).toEqual({
      n: 'is a function, which is no JSON',
      any: 'is a function, which is no JSON',
    });
    expect(asked).toEqual([]);
  });
});

it('a file where a value is asked for is refused', async () => {
  expect(await mistakes(z.object({ any: z.any() }), { any: new LocalFile('/etc/hostname') })).toEqual({
    any: 'is a file, where a value is asked for',
  });
});

function messageOfThrown(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}
