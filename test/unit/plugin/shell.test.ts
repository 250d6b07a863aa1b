import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commandLine, quote, quoteWithVariables } from '../../../src/plugin/shell.js';
import { oddNames } from '../../conformance/transport.js';

/** What a shell makes of words: each printed and ended by NUL. */
function words(shell: string, line: string): string[] {
  const output = execFileSync(shell, [], { input: `printf '%s\\0' ${line}`, encoding: 'utf8' });
  return output.split('\0').slice(0, -1);
}

const word = fc.string({ unit: 'binary' }).filter((text) => !text.includes('\0'));

describe.each(['sh', 'bash', 'dash'])('quoting for %s', (shell) => {
  it('gives every word back as it was', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 50 }), (list) => {
        expect(words(shell, commandLine(list))).toEqual(list);
      }),
      { numRuns: 40 },
    );
  });

  it('fills in variables where it is asked to, and does nothing else', () => {
    const env = { AB: '$(echo no) `no` "  \'' };
    const piece = fc.constantFrom(
      '$',
      '{',
      '}',
      'A',
      'B',
      '\\',
      '"',
      "'",
      '`',
      '(',
      ')',
      ' ',
      '\n',
      '!',
      '1',
      '$AB',
      '*',
    );
    const odd = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
    const filled = (text: string) =>
      text.replace(/\\\$|\$([AB][AB1]*)|\$\{([AB][AB1]*)\}/g, (whole, ...names: (string | undefined)[]) => {
        const name = names[0] ?? names[1];
        if (name === undefined) return whole.slice(1);
        return name === 'AB' ? env.AB : '';
      });
    fc.assert(
      fc.property(fc.array(odd, { minLength: 1, maxLength: 50 }), (list) => {
        const input = `printf '%s\\0' ${list.map(quoteWithVariables).join(' ')}`;
        const output = execFileSync(shell, [], { input, encoding: 'utf8', env: { PATH: process.env.PATH, ...env } });
        // Without a dollar sign a word is quoted like any other.
        const expected = list.map((text) => (text.includes('$') ? filled(text) : text));
        expect(output.split('\0').slice(0, -1)).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });

  it('gives odd words back as they were', () => {
    const list = [...oddNames, '', "'", "''", "\\'", '\n', 'a\n', '{a,b}', 'a=b', '=ls', '%s', '\\0', '~root', '"$@"'];
    expect(words(shell, commandLine(list))).toEqual(list);
  });
});

describe('quote', () => {
  it('leaves plain words readable', () => {
    expect(commandLine(['sbatch', '--parsable', '/home/me/job_1.sh', 'a@b:c'])).toBe(
      'sbatch --parsable /home/me/job_1.sh a@b:c',
    );
  });

  it('refuses NUL', () => {
    expect(() => quote('a\0b')).toThrow(expect.objectContaining({ code: 'bad-input' }));
  });
});
