import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { errorCodes, InputError, messageOf, WherryError } from '../../src/errors.js';

describe('the page of errors', () => {
  it('lists exactly the codes that there are, with their meaning and what to do', async () => {
    const page = await readFile(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `([^`]+)` \| (.+?) \| (.+) \|$/gm)];
    expect(rows.map(([, code, meaning]) => [code, meaning])).toEqual(Object.entries(errorCodes));
    expect(rows.every(([, , , advice]) => advice?.endsWith('.'))).toBe(true);
  });
});

describe('WherryError', () => {
  it('is permanent and without hint or cause unless said otherwise', () => {
    const error = new WherryError('internal', 'oh');
    expect(error).toMatchObject({ code: 'internal', transient: false, hint: undefined, message: 'oh' });
    expect('cause' in error).toBe(false);
  });

  it('keeps what it is given', () => {
    const cause = new Error('why');
    expect(new WherryError('timed-out', 'oh', { transient: true, hint: 'wait', cause })).toMatchObject({
      transient: true,
      hint: 'wait',
      cause,
    });
  });

  it('is bad input when the input is wrong', () => {
    expect(new InputError('no')).toMatchObject({ name: 'InputError', code: 'bad-input', issues: [] });
  });
});

it('messageOf takes whatever was thrown', () => {
  expect([messageOf(new Error('a')), messageOf('b'), messageOf(undefined)]).toEqual(['a', 'b', 'undefined']);
});
