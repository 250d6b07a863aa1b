import { InputError, quote } from '../../src/plugin.js';

/**
 * Quotes one word so that sh, bash, dash, zsh, csh, tcsh and fish all read it as this word: within single quotes they
 * differ in `\` (fish), `!` (csh) and line ends (csh) only. The first two are written outside the quotes; a line end
 * cannot be written in one way for all of them.
 */
export function quoteForAnyShell(word: string): string {
  if (word.includes('\0')) throw new InputError('a NUL character cannot be part of a command');
  if (word.includes('\n')) throw new InputError('a line end cannot be quoted for every shell');
  return /^[\w@%+:,./-]+$/.test(word) ? word : `'${word.replace(/['\\!]/g, "'\\$&'")}'`;
}

/** What to send for one command: the line for the login shell, and what must precede its own stdin. */
export interface FramedCommand {
  readonly line: string;
  /** The script itself, when it is too long for a command line. */
  readonly stdinPrefix: string;
}

export interface Framing {
  /** Letters and digits that nothing else prints; see `frameMarker`. */
  readonly token: string;
  readonly directory?: string | undefined;
  /** Does the command read a stdin of its own? */
  readonly hasStdin: boolean;
  readonly loginShell: boolean;
}

/** Linux allows 128 KiB for one argument, and the login shell gets the whole line as one. */
const longestLine = 64 * 1024;
const login = `exec bash -l -c ${quoteForAnyShell('exec "$0" "$@"')} /bin/sh -c`;
const direct = 'exec /bin/sh -c';

/** What both streams begin with, before a blank, the shell's process id, and how changing the directory went. */
export function frameMarker(token: string): string {
  return `wherry-${token}`;
}

/**
 * Wraps `script` so that /bin/sh runs it whatever the login shell is, and so that noise of start-up files can be told
 * from its output. Costs no process beside that sh: a script of several lines is passed as one word per line, and the
 * shell joins them again. A script too long for a command line comes through stdin, with its token at the end, so
 * that a part of it is never run.
 */
export function frameCommand(script: string, framing: Framing): FramedCommand {
  if (script.includes('\0')) throw new InputError('a NUL character cannot be part of a command');
  const { token, hasStdin, loginShell } = framing;
  const shell = loginShell ? login : direct;
  const start = preamble(framing);
  const lines = script.split('\n');
  const boot = start + (lines.length === 1 ? 's=$1;set --;eval "$s"' : joinLines);
  const line = [shell, quoteForAnyShell(boot), 'sh', ...lines.map(quoteForAnyShell)].join(' ');
  if (Buffer.byteLength(line) <= longestLine) return { line, stdinPrefix: '' };
  const prefix = `${script}\n#${token}`;
  const read = `s=$(head -c ${Buffer.byteLength(prefix)});case $s in *"#${token}");;*) exit 255;;esac;`;
  const rest = hasStdin ? '' : 'exec </dev/null;';
  return { line: `${shell} ${quoteForAnyShell(`${start}${read}${rest}eval "$s"`)}`, stdinPrefix: prefix };
}

// Every sh sets IFS to blank, tab and line end at its start, so that a line end is at hand without a process.
// biome-ignore lint/suspicious/noTemplateCurlyInString: these are the shell's own
const lineEnd = 'n=${IFS#??};n=${n%"${n#?}"};';
const joinLines = `${lineEnd}s=$1;shift;for l do s=$s$n$l;done;set --;eval "$s"`;

function preamble({ token, directory }: Framing): string {
  // The two quotes keep the marker from being printed by a shell that shows the commands it runs.
  const show = `echo wherry-""${token} $$`;
  if (directory === undefined) return `${show} 0 >&2;${show} 0;`;
  const place = quote(directory).replaceAll('\n', `'"$n"'`);
  return `${show} 0 >&2;${lineEnd}cd ${place};d=$?;${show} $d;case $d in 0);;*) exit 1;;esac;`;
}
