import { describe, expect, it } from 'vitest';
import { errorOf, failureOf } from '../../../src/broker/failure.js';
import { InputError, WherryError } from '../../../src/errors.js';

/** There and back again, as JSON. */
const travelled = (error: unknown) => errorOf(JSON.parse(JSON.stringify(failureOf(error))));

describe('an error that travels', () => {
  it.each([
    new WherryError('limit-reached', 'no more today', { transient: true, hint: 'wait' }),
    new WherryError('bad-input', 'not this'),
    new InputError('two things are wrong', [{ path: 'a', message: 'wrong' }], { hint: 'mend them' }),
  ])('arrives with its code, message, hint and whether it is transient: $message', (error) => {
    const { code, message, hint, transient } = error;
    const arrived = travelled(error);
    expect(arrived).toBeInstanceOf(WherryError);
    expect(arrived).toMatchObject({ code, message, hint, transient });
  });

  it.each<[unknown, string]>([
    [new TypeError('undefined is not a function'), 'undefined is not a function'],
    ['a text', 'a text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [{ code: 'limit-reached', message: 'looks like one of ours' }, '[object Object]'],
  ])('is a defect when it is none of ours: %s', (thrown, message) => {
    expect(travelled(thrown)).toMatchObject({ code: 'internal', message, transient: false });
  });

  it('is a defect when only a newer program knows its code, and keeps its words', () => {
    for (const code of ['from-the-future', 'constructor', '__proto__', '']) {
      const arrived = errorOf({ code, message: 'new trouble', hint: 'update', transient: true });
      expect(arrived).toMatchObject({ code: 'internal', message: 'new trouble', hint: 'update', transient: true });
    }
  });
});
