import { describe, expect, it } from 'vitest';
import { WherryError } from '../../../../src/errors.js';
import { exitCode, flawsOfExitCodes } from '../../../../src/process/exit-code-template.js';

const spec = {
  name: 'test.codes',
  exitCodes: {
    NO_RESULT: { status: 310, message: 'the result file is missing' },
    TOO_LARGE: { status: 311, message: '{what} is {size} MB, {what} may be {most} MB {}{1}{ x }' },
    OUT_OF_MEMORY: { status: 400, message: 'my own' },
  },
} as const;

describe('an exit code', () => {
  it('has the status and message of its label', () => {
    expect(exitCode(spec, 'NO_RESULT')).toEqual({
      status: 310,
      label: 'NO_RESULT',
      message: 'the result file is missing',
    });
  });

  it('has its parameters filled in, wherever they stand; other braces stay', () => {
    const { message } = exitCode(spec, 'TOO_LARGE', { what: 'out.txt', size: 7, most: 5, unused: 1 });
    expect(message).toBe('out.txt is 7 MB, out.txt may be 5 MB {}{1}{ x }');
  });

  it('does not fill in what stands in a parameter', () => {
    const { message } = exitCode(spec, 'TOO_LARGE', { what: '{size} $& $1', size: 7, most: 5 });
    expect(message).toMatch(/^\{size\} \$& \$1 is 7 MB/);
  });

  it('needs all its parameters, and tells which are missing', () => {
    expect(() => exitCode(spec, 'TOO_LARGE', { size: 7 })).toThrow(
      'the exit code TOO_LARGE of test.codes needs what, most',
    );
    expect(() => exitCode(spec, 'TOO_LARGE', Object.create({ what: 1, size: 1, most: 1 }))).toThrow(WherryError);
  });

  it('may be one that every process can have, unless the process has its own', () => {
    expect(exitCode(spec, 'OUT_OF_WALLTIME').status).toBe(120);
    expect(exitCode(spec, 'OUT_OF_MEMORY')).toEqual({ status: 400, label: 'OUT_OF_MEMORY', message: 'my own' });
  });

  it.each(['OTHER', 'toString', ''])('is refused when there is none with the label %j', (label) => {
    expect(() => exitCode(spec, label)).toThrow(
      expect.objectContaining({ code: 'bad-definition', hint: 'it declares NO_RESULT, TOO_LARGE, OUT_OF_MEMORY' }),
    );
    expect(() => exitCode({ name: 'x' }, label)).toThrow(expect.objectContaining({ hint: 'it declares none' }));
  });
});

it('exit codes of a definition have labels, and statuses above 0 of their own', () => {
  expect(flawsOfExitCodes(spec.exitCodes)).toEqual([]);
  const message = '';
  const flawed = {
    'NOT A LABEL': { status: 1, message },
    ZERO: { status: 0, message },
    HALF: { status: 1.5, message },
    FIRST: { status: 300, message },
    SECOND: { status: 300, message },
  };
  expect(flawsOfExitCodes(flawed)).toEqual([
    '"NOT A LABEL" cannot be the label of an exit code',
    'the status of ZERO must be a whole number above 0',
    'the status of HALF must be a whole number above 0',
    'FIRST and SECOND have the same status 300',
  ]);
});
