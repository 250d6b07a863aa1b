import { describe, expect, it } from 'vitest';
import { describeError, exitCodeOf } from '../../../src/cli/errors.js';
import { InputError, WherryError } from '../../../src/errors.js';

describe('the exit code', () => {
  it('is 2 for bad input and 1 for everything else', () => {
    expect(exitCodeOf(new InputError('no'))).toBe(2);
    expect(exitCodeOf(new WherryError('bad-input', 'no'))).toBe(2);
    expect(exitCodeOf(new WherryError('not-found', 'no'))).toBe(1);
    expect(exitCodeOf(new Error('no'))).toBe(1);
    expect(exitCodeOf('no')).toBe(1);
  });
});

describe('what is told of an error', () => {
  it('is its message, then what to do', () => {
    const error = new WherryError('connection-failed', 'daint cannot be reached', { hint: 'try again' });
    expect(describeError(error)).toEqual(['wherry: daint cannot be reached', '  → try again']);
  });

  it('is every issue of an input on a line of its own', () => {
    expect(describeError(new InputError('job.yaml:1:2 one\njob.yaml:3:4 two'))).toEqual([
      'wherry: job.yaml:1:2 one',
      'wherry: job.yaml:3:4 two',
    ]);
  });

  it('commands no terminal and shows no stack', () => {
    const [message, hint] = describeError(new WherryError('internal', 'bad \u001b[2J', { hint: 'x\u0007' }));
    expect(message).toBe('wherry: bad \\u001b[2J');
    expect(hint).toBe('  → x\\u0007');
    expect(describeError(new TypeError('x is undefined')).join('\n')).toContain('WHERRY_DEBUG=1');
    expect(describeError(new TypeError('x is undefined')).join('\n')).not.toContain('    at ');
  });
});
