import { isDeepStrictEqual } from 'node:util';
import { parse, stringify } from 'yaml';

/** The YAML text of a value; it reads back to the same value. */
export function writeYaml(value: unknown): string {
  const style = { lineWidth: 0, aliasDuplicateObjects: false };
  const text = stringify(value, style);
  // Blocks read well, but one of blank lines alone does not keep its blanks.
  return isDeepStrictEqual(parse(text), value) ? text : stringify(value, { ...style, blockQuote: false });
}

/**
 * The entries of a checked value that are worth writing, in the order of `keys`.
 * @param always those that are written even where they are default
 * @param defaults what the schema makes of `always` alone
 */
export function withoutDefaults<Value extends object>(
  value: Value,
  always: Partial<Value>,
  defaults: Value,
  keys: readonly string[],
): Partial<Value> {
  const entries = keys
    .map((key) => [key, value[key as keyof Value]] as const)
    .filter(([key, one]) => key in always || !isDeepStrictEqual(one, defaults[key as keyof Value]))
    .filter(([, one]) => one !== undefined);
  return Object.fromEntries(entries) as Partial<Value>;
}
