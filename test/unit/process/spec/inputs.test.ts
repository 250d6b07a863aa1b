import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { assembleInputs, checkInputs } from '../../../../src/process/inputs.js';
import { namespace } from '../../../../src/process/namespace.js';
import { asStored, linked, mistakes, noRepository, seen, taking } from './spec-rig.js';

const point = z.object({ x: z.number(), y: z.number().default(0) });

describe('what a process sees of its inputs', () => {
  it('is what was given, and defaults where nothing was', async () => {
    expect(await seen(point, { x: 1 })).toEqual({ x: 1, y: 0 });
    expect(await seen(point, { x: 1, y: 2 })).toEqual({ x: 1, y: 2 });
  });

  it('is what was given also where that is false, 0, null or empty', async () => {
    const inputs = z.object({
      no: z.boolean().default(true),
      zero: z.number().default(1),
      empty: z.string().default('text'),
      list: z.array(z.number()).default([1]),
      nothing: z.number().nullable().default(1),
    });
    const given = { no: false, zero: 0, empty: '', list: [], nothing: null };
    expect(await seen(inputs, given)).toEqual(given);
  });

  it('has no entry for what is optional and was not given', async () => {
    const inputs = z.object({ a: z.number().optional(), b: namespace({ c: z.number() }, { optional: true }) });
    expect(Object.keys((await seen(inputs, {})) as object)).toEqual([]);
    expect(await seen(inputs, { a: undefined })).toEqual({});
  });

  it('is frozen at every level', async () => {
    const inputs = z.object({
      a: namespace({ b: namespace({ c: z.object({ list: z.array(z.object({ d: z.number() })) }) }) }),
    });
    const values = (await seen(inputs, { a: { b: { c: { list: [{ d: 1 }] } } } })) as {
      a: { b: { c: { list: { d: number }[] } } };
    };
    for (const part of [values, values.a, values.a.b, values.a.b.c, values.a.b.c.list, values.a.b.c.list[0]]) {
      expect(Object.isFrozen(part)).toBe(true);
    }
    expect(() => values.a.b.c.list.push({ d: 2 })).toThrow(TypeError);
  });

  it('leaves what was given as it was', async () => {
    const given = { x: 1, deep: { list: [1] } };
    const inputs = z.object({ x: z.number(), y: z.number().default(0), deep: z.object({ list: z.array(z.number()) }) });
    await seen(inputs, given);
    expect(given).toEqual({ x: 1, deep: { list: [1] } });
    given.deep.list.push(2);
  });

  it('does not change when what was given is changed later', async () => {
    const given = { list: [1] };
    const leaves = await checkInputs(taking(z.object({ list: z.array(z.number()) })), given, noRepository);
    given.list.push(2);
    expect(leaves).toEqual([{ label: 'list', data: { type: 'value', content: [1] } }]);
  });
});

describe('a nested z.object', () => {
  it('is one piece of data', async () => {
    const leaves = await checkInputs(taking(z.object({ at: point })), { at: { x: 1 } }, noRepository);
    expect(leaves).toEqual([{ label: 'at', data: { type: 'value', content: { x: 1, y: 0 } } }]);
  });
});

describe('stored data', () => {
  const five = asStored({ type: 'value', content: 5 });

  it('keeps its identity, also when it is given for two inputs', async () => {
    const leaves = await checkInputs(taking(point), { x: five, y: five }, noRepository);
    expect(leaves.map(({ data }) => data)).toEqual([five, five]);
    expect(leaves.every(({ data }) => data === five)).toBe(true);
    const { values, data } = assembleInputs(taking(point), linked(leaves));
    expect(values).toEqual({ x: 5, y: 5 });
    expect(data.x).toBe(five);
  });

  it('is new data where the schema makes something else of it', async () => {
    const inputs = z.object({ text: z.string().trim() });
    const spaced = asStored({ type: 'value', content: ' a ' });
    const [leaf] = await checkInputs(taking(inputs), { text: spaced }, noRepository);
    expect(leaf?.data).toEqual({ type: 'value', content: 'a' });
  });

  it('must have a value that the schema takes', async () => {
    expect(await mistakes(point, { x: asStored({ type: 'value', content: 'five' }) })).toEqual({
      x: 'must be a number, not "five"',
    });
  });
});
