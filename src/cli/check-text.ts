import type { CheckResult } from '../engine/test-computer.js';
import { hintLines } from './errors.js';
import { paint, print, printable, printableLines } from './terminal.js';

/** Prints what came of one check, and what to do about it. */
export function printCheck({ name, ok, detail, hint, durationMs }: CheckResult): void {
  const mark = ok ? (hint === null ? paint.green('ok  ') : paint.yellow('note')) : paint.red('FAIL');
  const text = ok ? printable(detail) : printableLines(detail).replaceAll('\n', `\n${' '.repeat(24)}`);
  print(`${mark}  ${printable(name).padEnd(16)}  ${text} ${paint.dim(`(${durationMs} ms)`)}`);
  if (hint !== null) print(hintLines(hint).join('\n'));
}
