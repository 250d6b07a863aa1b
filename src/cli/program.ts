import { didYouMean } from '../config/nearest.js';
import type { AnyCommand } from './command.js';
import { type CommandEntry, commandTable, groups } from './command-table.js';
import { exitCodes, reportError, usageError } from './errors.js';
import { groupHelp, programHelp } from './help.js';
import { endQuietlyWithoutReader, print, say } from './terminal.js';

/** Options that may stand before the command, with whether they take a value. */
const leadingOptions: Readonly<Record<string, boolean>> = { '--home': true, '--profile': true };

/**
 * Runs one command line and tells what goes wrong.
 * @param words what stands behind `wherry`
 * @returns the exit code
 */
export async function runProgram(words: readonly string[], version: string): Promise<number> {
  endQuietlyWithoutReader();
  try {
    return await dispatch(words, version);
  } catch (error) {
    return reportError(error);
  }
}

async function dispatch(words: readonly string[], version: string): Promise<number> {
  if (words.includes('--get-yargs-completions')) {
    const { complete } = await import('./completion.js');
    return complete(words);
  }
  const { leading, rest } = splitLeading(words);
  const [first, second] = rest;
  const end = rest.indexOf('--');
  if (first === '-V' || (end === -1 ? rest : rest.slice(0, end)).includes('--version')) {
    print(version);
    return exitCodes.done;
  }
  if (first === undefined || first === '--help' || first === '-h' || first === 'help') {
    const show = first === undefined ? say : print;
    show(programHelp(commandTable));
    return first === undefined ? exitCodes.badInput : exitCodes.done;
  }
  if (Object.hasOwn(groups, first) && (second === undefined || second === '--help' || second === '-h')) {
    const show = second === undefined ? say : print;
    show(groupHelp(first, commandTable));
    return second === undefined ? exitCodes.badInput : exitCodes.done;
  }
  const entry = commandTable.find(({ path }) => path.every((word, index) => rest[index] === word));
  if (entry === undefined) throw unknownCommand(first, second);
  const { command } = await entry.load();
  return runCommand(entry, command, [...leading, ...rest.slice(entry.path.length)]);
}

async function runCommand(entry: CommandEntry, command: AnyCommand, words: readonly string[]): Promise<number> {
  const { parseArguments } = await import('./parse-arguments.js');
  const parsed = await parseArguments(entry, command, words);
  if ('help' in parsed) {
    print(parsed.help);
    return exitCodes.done;
  }
  return command.run(parsed.given, parsed.command);
}

/** `--home DIR` and `--profile NAME` before the command mean the same as behind it. */
function splitLeading(words: readonly string[]): { leading: string[]; rest: string[] } {
  let count = 0;
  for (;;) {
    const [name = '', value] = (words[count] ?? '').split(/=(.*)/s);
    if (!Object.hasOwn(leadingOptions, name)) break;
    count += value === undefined ? 2 : 1;
  }
  return { leading: words.slice(0, count), rest: words.slice(count) };
}

function unknownCommand(first: string, second: string | undefined): Error {
  if (Object.hasOwn(groups, first)) {
    const names = commandTable.filter(({ path }) => path[0] === first).map(({ path }) => path[1] ?? '');
    return usageError(
      `there is no command "${first} ${second}"${didYouMean(second ?? '', names)}`,
      `see: wherry ${first} --help`,
    );
  }
  if (first.startsWith('-')) return usageError(`there is no option "${first}" before a command`, 'see: wherry --help');
  const names = new Set(commandTable.map(({ path }) => path[0]));
  return usageError(`there is no command "${first}"${didYouMean(first, names)}`, 'see: wherry --help');
}
