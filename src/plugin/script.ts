import { quote } from './shell.js';

/**
 * How every script of the file operations begins: it stops at the first failure, speaks the language in which failures
 * are told apart, and its tar obeys nobody's private settings.
 */
export const scriptStart = 'set -e\nLC_ALL=C; export LC_ALL; unset TAR_OPTIONS\n';

/** Goes into a directory. When that fails `ls` says why, in words that are known, which shells do not. */
export function enter(directory: string): string {
  return `cd ${quote(directory)} 2>/dev/null || { ls -d ${quote(`${directory}/.`)} >/dev/null; exit 1; }\n`;
}

/** Few names stand in the command itself; more come through its input, for a command line holds only so many. */
const longestWords = 8 * 1024;

/**
 * The end of a script that runs a command with names as its words, and what the script then reads. Names must not
 * begin with a dash. With many names the command may run several times, and `xargs` turns its failure into 123.
 * @param command given shell text that stands for the names; variables in it must be exported
 */
export function overNames(
  names: readonly string[],
  command: (words: string) => string,
): { readonly run: string; readonly stdin: { readonly stdin?: string } } {
  const words = names.map(quote).join(' ');
  if (Buffer.byteLength(words) <= longestWords) return { run: `exec ${command(words)}`, stdin: {} };
  const stdin = names.map((name) => `${name}\0`).join('');
  return { run: `xargs -0 sh -c ${quote(`exec ${command('"$@"')}`)} sh`, stdin: { stdin } };
}
