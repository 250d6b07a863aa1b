import yargs, { type Argv } from 'yargs';
import { didYouMean } from '../config/nearest.js';
import { messageOf, WherryError } from '../errors.js';
import { type AnyCommand, type OptionTable, text } from './command.js';
import type { CommandEntry } from './command-table.js';
import { usageError } from './errors.js';
import { terminalWidth } from './terminal.js';

type Given = Parameters<AnyCommand['run']>[0];

/** What the words of a command line mean; or the help that was asked for. */
export type ParsedArguments =
  | { readonly given: Given; readonly command: readonly string[] }
  | { readonly help: string };

/** Nothing is guessed: texts stay texts, an array takes one value for each time its option is given. */
const configuration = {
  'boolean-negation': false,
  'camel-case-expansion': false,
  'dot-notation': false,
  'greedy-arrays': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
} as const;

/** Words behind `--` are marked by a character that no argument can hold, so that a leading dash is no option. */
const mark = '\0';

/** Parses the words behind a command. Bad usage is an InputError. */
export async function parseArguments(
  entry: CommandEntry,
  command: AnyCommand,
  words: readonly string[],
): Promise<ParsedArguments> {
  const end = words.indexOf('--');
  const own = end === -1 ? words : words.slice(0, end);
  const behind = end === -1 ? [] : words.slice(end + 1);
  const marked = command.takesCommand ? [] : behind.map((word) => `${mark}${word}`);
  let failure: unknown;
  let output = '';
  let given: object = {};
  await declare(parserOf(entry), entry, command).parseAsync([...own, ...marked], {}, (error, values, printed) => {
    failure = error ?? undefined;
    given = values;
    output = printed;
  });
  if (failure !== undefined) throw explained(failure, given, entry, command);
  if (output !== '') return { help: output };
  refuseRepetition(given, command);
  const values = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, unmarked(value)]));
  return { given: values as Given, command: command.takesCommand ? behind : [] };
}

function parserOf(entry: CommandEntry): Argv {
  return yargs()
    .scriptName(`wherry ${entry.path.join(' ')}`)
    .parserConfiguration(configuration)
    .detectLocale(false)
    .exitProcess(false)
    .version(false)
    .strict()
    .wrap(Math.min(100, terminalWidth(process.stdout) ?? 100))
    .alias('help', 'h');
}

/** Declares a command's arguments as the only thing that a parser knows. */
function declare(parser: Argv, entry: CommandEntry, command: AnyCommand): Argv {
  const usage = `$0 ${entry.usage}`.trimEnd();
  return parser.command(
    usage,
    entry.describe,
    (builder) => declareArguments(builder, command),
    () => undefined,
  );
}

/** The arguments and examples of a command. */
export function declareArguments(builder: Argv, command: AnyCommand): Argv {
  for (const [name, positional] of Object.entries(command.positionals)) builder.positional(name, positional);
  builder.options(command.options).options(globalOptions);
  for (const [line, meaning] of command.examples) builder.example(line, meaning);
  return builder;
}

const globalOptions = {
  home: text('where Wherry keeps its state (default: WHERRY_HOME, else ~/.wherry)'),
  profile: text('the profile in it'),
};

/** An option that takes one value and was given several has none that is meant. */
function refuseRepetition(given: object, command: AnyCommand): void {
  const options: OptionTable = { ...command.options, ...globalOptions };
  for (const [name, value] of Object.entries(given)) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined || option.array || !Array.isArray(value)) continue;
    throw usageError(`--${name} is given twice: ${value.join(' and ')}`, 'give it once');
  }
}

function unmarked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unmarked);
  return typeof value === 'string' && value.startsWith(mark) ? value.slice(mark.length) : value;
}

/** Says in plain words what the parser holds against the words; what was mistyped comes before what is missing. */
function explained(error: unknown, given: object, entry: CommandEntry, command: AnyCommand): Error {
  if (error instanceof WherryError) return error;
  const help = `see: wherry ${entry.path.join(' ')} --help`;
  const message = messageOf(error);
  const lacking = /^Not enough arguments following: (.+)$/.exec(message)?.[1];
  if (lacking !== undefined) {
    return usageError(
      `the option --${lacking} lacks its value`,
      `a value that begins with a dash is written --${lacking}=-x`,
    );
  }
  const options = [...Object.keys(command.options), ...Object.keys(globalOptions), 'help'];
  const known = new Set([...options, ...Object.keys(command.positionals), 'h', '_', '$0']);
  const unknown = Object.keys(given).find((name) => !known.has(name));
  if (unknown !== undefined) {
    const dashes = unknown.length === 1 ? '-' : '--';
    return usageError(`there is no option "${dashes}${unknown}"${didYouMean(unknown, options)}`, help);
  }
  const [extra] = '_' in given && Array.isArray(given._) ? given._ : [];
  if (extra !== undefined && message.startsWith('Unknown argument'))
    return usageError(`one argument too many: "${unmarked(String(extra))}"`, help);
  if (message.startsWith('Not enough non-option arguments')) return usageError(`missing: ${entry.usage}`, help);
  return usageError(message.charAt(0).toLowerCase() + message.slice(1), help);
}
