import { InputError } from '../errors.js';

/** Quotes one word for a POSIX shell. NUL cannot be passed to any program and is refused. */
export function quote(word: string): string {
  if (word.includes('\0')) throw new InputError('a NUL character cannot be part of a command or a file name');
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A command line of quoted words. */
export function commandLine(words: readonly string[]): string {
  return words.map(quote).join(' ');
}

/**
 * Quotes one word so that the shell fills in variables, `$NAME` and `${NAME}`, and does nothing else with it: no command
 * is run and nothing is split. `\$` is a dollar sign.
 */
export function quoteWithVariables(word: string): string {
  if (!word.includes('$')) return quote(word);
  if (word.includes('\0')) throw new InputError('a NUL character cannot be part of a command or a file name');
  const special = /\\\$|\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})|[$\\"`]/g;
  return `"${word.replace(special, (found) => (found === '\\$' || /^\$./.test(found) ? found : `\\${found}`))}"`;
}
