import type { Options } from 'yargs';
import { type CodeConfig, codeSchema } from '../config/code.js';
import { withFolder } from '../config/code-file.js';
import { validate } from '../config/validate.js';
import { text } from './command.js';
import { wordsOf } from './option-values.js';

/** Options that say what a code is. */
export const codeOptions = {
  computer: text('where it is; not for one with a folder'),
  executable: text('its absolute path there; in the folder: its path in it; in a container: as the image knows it'),
  folder: text('a folder here that is sent with each job'),
  image: text('the image of a container'),
  engine: text('words that run something in the image, such as "singularity exec {image}"'),
  'wrap-parameters': { type: 'boolean', describe: 'give executable and arguments to the engine as one word' },
  'double-quotes': { type: 'boolean', describe: 'let the shell fill in variables in its words' },
  mpi: { type: 'boolean', describe: 'it runs under MPI (--mpi=false: it does not)' },
  prepend: text('shell lines before the programs of its jobs'),
  append: text('shell lines behind them'),
  description: text('a text for people'),
} as const satisfies Record<string, Options>;

/** What the parser made of `codeOptions`. */
export type CodeArguments = { readonly [Name in keyof typeof codeOptions]?: unknown };

export function anyCodeOption(given: CodeArguments): boolean {
  return (Object.keys(codeOptions) as (keyof typeof codeOptions)[]).some((name) => given[name] !== undefined);
}

/** The code that the options are; `name` may have its computer behind an @. */
export function codeOf(given: CodeArguments, name: string | undefined): CodeConfig {
  const [label, computer] = partsOf(name);
  const values = {
    label,
    computer: given.computer ?? computer,
    description: given.description,
    executable: given.executable,
    folder: given.folder,
    image: given.image,
    engine: given.engine === undefined ? undefined : wordsOf(String(given.engine), 'engine'),
    prepend: given.prepend,
    append: given.append,
    mpi: given.mpi,
    wrapParameters: given['wrap-parameters'],
    doubleQuotes: given['double-quotes'],
  };
  const asked = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
  return withFolder(validate(asked, codeSchema, { source: '' }), process.cwd());
}

/** Label and computer of `pw@daint`. */
export function partsOf(name: string | undefined): [string | undefined, string | undefined] {
  const at = name?.indexOf('@') ?? -1;
  return name === undefined || at < 0 ? [name, undefined] : [name.slice(0, at), name.slice(at + 1)];
}
