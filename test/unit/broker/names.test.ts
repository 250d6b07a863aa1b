import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkAddress, checkFilter, checkQueue, checkSubject, matches } from '../../../src/broker/names.js';

/** The rule as RabbitMQ states it for its topic exchanges: `*` is one word, `#` none or more; nothing clever. */
function reference(pattern: readonly string[], words: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return words.length === 0;
  if (first === '#') return words.some((_, index) => reference(rest, words.slice(index))) || reference(rest, []);
  return words.length > 0 && (first === '*' || first === words[0]) && reference(rest, words.slice(1));
}

describe('matching', () => {
  const word = fc.constantFrom('a', 'b', 'a-b', 'A');
  const words = fc.array(word, { minLength: 1, maxLength: 6 });
  const pattern = fc.array(fc.oneof(word, fc.constantFrom('*', '#')), { minLength: 1, maxLength: 6 });

  it('follows the rule for every pattern and subject', () => {
    fc.assert(
      fc.property(pattern, words, (wanted, subject) => {
        const matched = matches({ subject: wanted.join('.') }, subject.join('.'), null);
        expect(matched).toBe(reference(wanted, subject));
      }),
      { numRuns: 5_000 },
    );
  });

  it('finds what a pattern was made of', () => {
    const replaced = fc.array(fc.tuple(word, fc.constantFrom('same', '*', '#')), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(replaced, (parts) => {
        const wanted = parts.map(([name, how]) => (how === 'same' ? name : how)).join('.');
        return matches({ subject: wanted }, parts.map(([name]) => name).join('.'), null);
      }),
    );
  });

  it.each<[string, string, boolean]>([
    ['#', 'a', true],
    ['#.#', 'a', true],
    ['a.#', 'a', true],
    ['#.a', 'a', true],
    ['a.*', 'a', false],
    ['*.#', 'a', true],
    ['#.*.#.*', 'a', false],
    ['a', 'A', false],
    ['state', 'state.a', false],
    ['state.*', 'states.a', false],
  ])('the pattern %s and the subject %s: %s', (wanted, subject, expected) => {
    expect(matches({ subject: wanted }, subject, null)).toBe(expected);
  });

  it('wants the sender too, where one is asked for', () => {
    const filter = { subject: 'state.#', sender: 'process.*' };
    expect(matches(filter, 'state.a', 'process.1')).toBe(true);
    expect(matches(filter, 'state.a', 'worker.1')).toBe(false);
    expect(matches(filter, 'state.a', null)).toBe(false);
    expect(matches(filter, 'other.a', 'process.1')).toBe(false);
    expect(matches({}, 'state.a', null)).toBe(true);
  });

  it('takes no time for a pattern that could match in many ways', () => {
    const began = performance.now();
    const wanted = '#.a.#.a.#.a.#.a.#.b';
    for (let count = 0; count < 1_000; count++) matches({ subject: wanted }, 'a.a.a.a.a.a.a.a.a.a', null);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe('names', () => {
  it('are taken as they are when they are good', () => {
    expect(checkAddress('worker.5f0c-A_9')).toBe('worker.5f0c-A_9');
    expect(checkSubject('state.calcjob.running.finished')).toBe('state.calcjob.running.finished');
    expect(checkQueue('continue')).toBe('continue');
    expect(checkFilter({ subject: '#', sender: '*.17' })).toEqual({ subject: '#', sender: '*.17' });
  });

  it.each(['', '.', 'a.', '.a', 'a..b', 'a b', 'ü', 'a\n', 'a.b\n', 'a*', '##', `${'x'.repeat(121)}`])(
    'are refused when they are not: %j',
    (name) => {
      for (const check of [checkSubject, checkQueue, (text: string) => checkFilter({ subject: text })]) {
        expect(() => check(name)).toThrow(expect.objectContaining({ code: 'message-refused' }));
      }
      expect(() => checkAddress(`a.${name}`)).toThrow(expect.objectContaining({ code: 'message-refused' }));
    },
  );

  it('have as many words as their kind allows', () => {
    expect(() => checkAddress('worker')).toThrow();
    expect(() => checkAddress('worker.1.2')).toThrow();
    expect(() => checkQueue('a.b')).toThrow();
    expect(() => checkSubject('a.b.c.d.e.f.g.h.i.j')).not.toThrow();
    expect(() => checkSubject('a.b.c.d.e.f.g.h.i.j.k')).toThrow();
    expect(() => checkFilter({ sender: '#' })).toThrow();
    expect(() => checkFilter({ sender: 'a.#' })).toThrow();
  });
});
