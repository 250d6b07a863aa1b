import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { definitions, findDefinition, type ProcessDefinition, register } from '../../../../src/process/definition.js';
import { file } from '../../../../src/process/namespace.js';

const definition = (differing: Partial<ProcessDefinition>): ProcessDefinition => ({
  kind: 'workflow',
  name: 'test.definition',
  version: 1,
  inputs: z.object({}),
  outputs: z.object({}),
  ...differing,
});

describe('a definition', () => {
  it('is known by its name', () => {
    const one = register(definition({ name: 'test.known' }));
    expect(findDefinition('test.known')).toBe(one);
    expect(definitions()).toContain(one);
    expect(findDefinition('test.other')).toBeUndefined();
  });

  it('has a name of its own', () => {
    register(definition({ name: 'test.twice' }));
    expect(() => register(definition({ name: 'test.twice' }))).toThrow(
      'there are two processes with the name test.twice',
    );
  });

  it.each<[string, Partial<ProcessDefinition>, string]>([
    ['its name', { name: '1.x' }, '"1.x" cannot be the name of a process'],
    ['its version', { version: 0.5 }, 'the version of test.bad must be a whole number from 1 on'],
    ['its inputs', { inputs: z.object({ 'a.b': z.any() }) }, 'the inputs of test.bad: "a.b": the name of a port'],
    [
      'its outputs',
      { outputs: z.object({ a: z.array(file()) }) },
      'the outputs of test.bad: a: a file cannot be inside',
    ],
    ['its exit codes', { exitCodes: { A: { status: 0, message: '' } } }, 'the exit codes of test.bad: the status of A'],
  ])('is refused for %s, each time that it is tried', (_what, differing, message) => {
    for (const _time of [1, 2]) {
      expect(() => register(definition({ name: 'test.bad', ...differing }))).toThrow(message);
    }
    expect(findDefinition('test.bad')).toBeUndefined();
  });
});
