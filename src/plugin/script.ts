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
