import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { printable, printableLines, printJson } from '../../../src/cli/terminal.js';

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not come through
const commanding = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\ufeff]/;

describe('printable', () => {
  it('writes what could command a terminal as escapes', () => {
    expect(printable('a\u001b[31mred\u0007')).toBe('a\\u001b[31mred\\u0007');
    expect(printable('one\ntwo\tthree\r')).toBe('one\\ntwo\\tthree\\r');
    expect(printable('left\u202eright')).toBe('left\\u202eright');
    expect(printable('\u{e0041}\ud800')).toBe('\\u{e0041}\\ud800');
    expect(printable('ünïcödé 名前 🚢')).toBe('ünïcödé 名前 🚢');
  });

  it('lets nothing through, whatever comes', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !commanding.test(printable(text))));
  });
});

describe('printableLines', () => {
  it('keeps line breaks and tabs', () => {
    expect(printableLines('a\r\nb\tc\u001b\rd')).toBe('a\nb\tc\\u001b\\rd');
  });
});

describe('printJson', () => {
  it('prints JSON that reads back to the same and commands no terminal', () => {
    const write = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    try {
      fc.assert(
        fc.property(fc.string({ unit: 'grapheme' }), (text) => {
          write.mockClear();
          printJson({ text: `${text}\u009b\u202e\u{e0041}` });
          const written = String(write.mock.calls[0]?.[0]);
          expect(JSON.parse(written)).toEqual({ text: `${text}\u009b\u202e\u{e0041}` });
          expect(commanding.test(written.replaceAll('\n', ''))).toBe(false);
        }),
      );
    } finally {
      write.mockRestore();
    }
  });
});
