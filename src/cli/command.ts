import type { Options, PositionalOptions } from 'yargs';

/** Options that every command takes. */
export interface GlobalArguments {
  readonly home?: string | undefined;
  readonly profile?: string | undefined;
}

export type OptionTable = Readonly<Record<string, Options>>;
export type PositionalTable = Readonly<Record<string, PositionalOptions>>;

/** The values that the parser makes of a table of options. */
type Values<Table> = { readonly [Name in keyof Table]: Value<Table[Name]> };

type Value<Declared> =
  | Single<Declared>
  | (Declared extends { readonly demandOption: true } | { readonly default: unknown } ? never : undefined);

type Single<Declared> = Declared extends { readonly array: true }
  ? readonly string[]
  : Declared extends { readonly type: 'boolean' }
    ? boolean
    : string;

/** What a command's file declares: its arguments, examples for the help, and what it does. */
export interface CommandDeclaration<Positionals, Declared> {
  readonly positionals: Positionals;
  readonly options: Declared;
  /** Command line and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /** Words behind `--` are a command to run, not arguments of ours. */
  readonly takesCommand?: boolean;
  /**
   * Does the work; whatever it throws is told by one place.
   * @returns the exit code
   */
  run(given: Values<Positionals> & Values<Declared> & GlobalArguments, command: readonly string[]): Promise<number>;
}

/** A command whose types nobody needs any more. */
export type AnyCommand = CommandDeclaration<PositionalTable, OptionTable>;

/** Declares a command, so that the compiler knows the types of its arguments. */
export function defineCommand<const Positionals extends PositionalTable, const Declared extends OptionTable>(
  declaration: CommandDeclaration<Positionals, Declared>,
): AnyCommand {
  return declaration as unknown as AnyCommand;
}

/** An option that takes one text. */
export function text(describe: string) {
  return { type: 'string', requiresArg: true, describe } as const satisfies Options;
}

/** An option that may be given several times, one value each. */
export function texts(describe: string) {
  return { type: 'string', array: true, requiresArg: true, describe } as const satisfies Options;
}

/** An option without a value. */
export function flag(describe: string) {
  return { type: 'boolean', describe, default: false } as const satisfies Options;
}

export const json = flag('print JSON');

/** One id or more of processes. */
export const idPositionals = {
  ids: { type: 'string', array: true, demandOption: true, describe: 'number, uuid or the beginning of a uuid' },
} as const satisfies PositionalTable;

/** Exactly one id of a process. */
export const idPositional = {
  id: { type: 'string', demandOption: true, describe: 'number, uuid or the beginning of a uuid' },
} as const satisfies PositionalTable;
