import type { z } from 'zod';
import { type InputIssue, messageOf } from '../errors.js';
import { dotted, issueAt, issuesError, mostIssues, type Origin, type Path } from './issues.js';
import { didYouMean } from './nearest.js';
import { type Issue, isMismatch, sentence } from './sentences.js';

export interface ValidateOptions {
  /** Path of the value inside the document of `origin`. */
  readonly prefix?: Path;
  /** Begins the message of an unknown key. Default: `unknown key "X"`. */
  readonly unknownKey?: (key: string) => string;
}

/** Lists of allowed keys longer than this help nobody. */
const mostKeysShown = 12;

/** Checks `value` by the schema; an InputError tells all that is wrong with it, each with its place. */
export function validate<Schema extends z.ZodType>(
  value: unknown,
  schema: Schema,
  origin: Origin,
  options: ValidateOptions = {},
): z.output<Schema> {
  const reading = new Reading();
  const result = schema.safeParse(value, reading.context);
  if (result.success) return result.data;
  const { issues, unseen } = reading.issuesOf(result.error, origin, options);
  throw issuesError(origin.source, issues, unseen);
}

/**
 * Like `validate`, for schemas whose checks may be asynchronous; what is wrong is returned. A check that throws is told
 * as an issue of the whole value.
 */
export async function examine<Schema extends z.ZodType>(
  value: unknown,
  schema: Schema,
  prefix: Path,
): Promise<{ readonly value: z.output<Schema> } | { readonly issues: readonly InputIssue[] }> {
  const reading = new Reading();
  try {
    const result = await schema.safeParseAsync(value, reading.context);
    if (result.success) return { value: result.data };
    return { issues: reading.issuesOf(result.error, { source: '' }, { prefix }).issues };
  } catch (error) {
    return { issues: [issueAt({ source: '' }, prefix, `could not be checked: ${messageOf(error)}`)] };
  }
}

/** One reading of a value by a schema, and the words for what is wrong with it. */
class Reading {
  /**
   * The issue that Zod returns no longer says which object refused the keys; the array of keys is the same one.
   */
  readonly #allowedKeys = new WeakMap<readonly string[], readonly string[]>();

  readonly context: z.core.ParseContext<Issue> = {
    reportInput: true,
    error: (issue) => {
      if (issue.code === 'unrecognized_keys') this.#allowedKeys.set(issue.keys, keysOf(issue.inst));
      return sentence(issue);
    },
  };

  issuesOf(
    error: z.ZodError,
    origin: Origin,
    options: ValidateOptions,
  ): { readonly issues: InputIssue[]; readonly unseen: number } {
    const prefix = options.prefix ?? [];
    const wording = options.unknownKey ?? ((key) => `unknown key ${JSON.stringify(key)}`);
    const single = error.issues.flatMap(flatten).flatMap(onePerKey);
    const issues = single.slice(0, mostIssues).map((issue): InputIssue => {
      const path = [...prefix, ...issue.path];
      if (issue.code !== 'unrecognized_keys') {
        return issueAt(origin, path, issue.message, issue.code === 'invalid_key' ? 'key' : 'value');
      }
      const message = wording(issue.key) + advice(issue.key, this.#allowedKeys.get(issue.keys) ?? []);
      return { ...issueAt(origin, [...path, issue.key], message, 'key'), path: dotted(path) };
    });
    return { issues, unseen: single.length - issues.length };
  }
}

type UnknownKey = z.core.$ZodIssueUnrecognizedKeys & { readonly key: string };

function onePerKey(issue: Issue): (Exclude<Issue, z.core.$ZodIssueUnrecognizedKeys> | UnknownKey)[] {
  return issue.code === 'unrecognized_keys' ? issue.keys.map((key) => ({ ...issue, key })) : [issue];
}

/** Replaces the failure of a union by that of the branch which the value was most likely meant for. */
function flatten(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const fitting = issue.errors.filter((branch) => !branch.some(isMismatch));
  const best = fitting.sort((one, other) => one.length - other.length)[0];
  if (best === undefined) return [issue];
  return best.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }));
}

function advice(key: string, allowed: readonly string[]): string {
  const meant = didYouMean(key, allowed);
  if (meant !== '') return meant;
  return allowed.length > 0 && allowed.length <= mostKeysShown ? ` (allowed: ${allowed.join(', ')})` : '';
}

function keysOf(schema: unknown): string[] {
  const definition = (schema as z.core.$ZodObject | undefined)?._zod.def;
  return definition?.type === 'object' ? Object.keys(definition.shape) : [];
}
