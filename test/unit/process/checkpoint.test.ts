import fastCheck from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readCheckpoint, writeCheckpoint } from '../../../src/process/checkpoint.js';

describe('a checkpoint', () => {
  it('gives back whatever JSON was written', () => {
    fastCheck.assert(
      fastCheck.property(fastCheck.jsonValue(), fastCheck.integer({ min: 1, max: 99 }), (data, version) => {
        const text = writeCheckpoint(version, data);
        expect(readCheckpoint(text, version)).toEqual(JSON.parse(JSON.stringify(data)));
      }),
    );
  });

  it('of an older version is brought forward step by step, in order', () => {
    const upgrades = {
      1: (data: unknown) => [data, 'from 1'],
      2: (data: unknown) => [data, 'from 2'],
      3: (data: unknown) => [data, 'from 3'],
    };
    expect(readCheckpoint(writeCheckpoint(1, 'x'), 4, upgrades)).toEqual([[['x', 'from 1'], 'from 2'], 'from 3']);
    expect(readCheckpoint(writeCheckpoint(3, 'x'), 4, upgrades)).toEqual(['x', 'from 3']);
    expect(readCheckpoint(writeCheckpoint(4, 'x'), 4, upgrades)).toBe('x');
  });

  it('of a newer version is not read, and says what to do', () => {
    expect(() => readCheckpoint(writeCheckpoint(3, {}), 2)).toThrow(
      expect.objectContaining({ code: 'checkpoint-unreadable', hint: expect.stringContaining('newer Wherry') }),
    );
  });

  it('of a version whose step is missing is not read', () => {
    const read = () => readCheckpoint(writeCheckpoint(1, {}), 3, { 2: (data) => data });
    expect(read).toThrow(expect.objectContaining({ code: 'checkpoint-unreadable' }));
  });

  it.each([
    '',
    '{',
    'null',
    '3',
    '[]',
    '"x"',
    '{}',
    '{"version":1}',
    '{"data":1}',
    '{"version":0,"data":1}',
    '{"version":1.5,"data":1}',
    '{"version":"1","data":1}',
    '{"version":null,"data":1}',
    '{"version":1,"data":1}x',
  ])('that is damaged is not read: %s', (text) => {
    expect(() => readCheckpoint(text, 1)).toThrow(expect.objectContaining({ code: 'checkpoint-unreadable' }));
  });
});
