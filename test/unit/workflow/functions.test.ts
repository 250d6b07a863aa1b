import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { calcfunction, type Data, Runner, workfunction, z } from '../../../src/index.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
let runner: Runner;
beforeEach(async () => {
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterEach(async () => {
  await runner[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

const inputsOf = async (id: number) => {
  const links = test.profile.store.selectFrom('links').select('label').where('process_id', '=', id);
  return (await links.where('type', '=', 'input').orderBy('label').execute()).map(({ label }) => label);
};

describe('a function', () => {
  const total = calcfunction(
    'functions.total',
    // The first number, and (perhaps) others.
    (x: number, /* in any order, each once */ others: readonly number[] = []) =>
      others.reduce((sum, other) => sum + other, x),
  );

  it('may leave out parameters that have a default', async () => {
    expect((await total(3)).value).toBe(3);
    expect((await total(3, [4, 5])).value).toBe(12);
    expect([await inputsOf(1), await inputsOf(2)]).toEqual([['x'], ['others', 'x']]);
    expect(total.parameters).toEqual(['x', 'others']);
  });

  it('must have all others, and no more', async () => {
    const anyhow = total as unknown as (...values: readonly unknown[]) => Promise<Data>;
    await expect(anyhow()).rejects.toThrow('inputs of functions.total: x: is missing');
    await expect(anyhow(1, [], 3)).rejects.toThrow('takes 2 values and was given 3');
    expect(await test.profile.store.selectFrom('processes').select('id').execute()).toEqual([]);
  });

  it('of data may leave out what its inputs leave open', async () => {
    const inputs = z.object({ x: z.number(), others: z.array(z.number()).optional() });
    const passedOn = workfunction(
      'functions.passed-on',
      async (x: Data<number>, others?: Data<number[]>) => (others === undefined ? total(x) : total(x, others)),
      { inputs },
    );
    expect((await passedOn(3)).value).toBe(3);
    expect((await passedOn(3, [4])).value).toBe(7);
  });

  it.each<[string, (...values: never[]) => unknown]>([
    ['destructured', ({ x }: { x: number }) => x],
    ['rest', (...values: number[]) => values.length],
    ['computed', (x: number, y = Math.max(1, 2)) => x + y],
  ])('is refused without names for its parameters: %s', (name, body) => {
    expect(() => calcfunction(`functions.${name}`, body)).toThrow(
      `the parameters of functions.${name} have no simple names`,
    );
  });
});
