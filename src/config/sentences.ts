import type { z } from 'zod';

type RawIssue = z.core.$ZodRawIssue;
export type Issue = z.core.$ZodIssue;

const nouns: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'a mapping',
  record: 'a mapping',
  null: 'null',
};

/** Zod's issues in words for people; undefined leaves Zod's own. Messages set in a schema come before these. */
export function sentence(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return wrongType(noun(issue.expected), issue.input, issue.expected === 'string');
    case 'invalid_value':
      return wrongType(choice(issue.values), issue.input, false);
    case 'too_small':
      return tooSmall(issue.origin, issue.minimum, issue.inclusive !== false);
    case 'too_big':
      return tooBig(issue.origin, issue.maximum, issue.inclusive !== false);
    case 'invalid_format':
      return issue.format === 'regex' ? `${kind(issue.input)} has the wrong form` : `must be a valid ${issue.format}`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_key':
      return `as a name: ${issue.issues.map((inner) => inner.message).join(', ')}`;
    case 'invalid_union':
      return wrongUnion(issue);
    default:
      return undefined;
  }
}

/** Does this issue only say that a whole value is of another kind than a branch of a union takes? */
export function isMismatch(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value');
}

function wrongUnion(issue: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string | undefined {
  if (issue.errors.length === 0) return 'is none of the known kinds';
  const wanted = issue.errors.flat().filter(isMismatch).map(expected);
  return wrongType([...new Set(wanted)].join(' or '), issue.input, false);
}

function expected(issue: Issue): string {
  if (issue.code === 'invalid_type') return noun(issue.expected);
  return issue.code === 'invalid_value' ? choice(issue.values) : '';
}

function wrongType(wanted: string, input: unknown, textWanted: boolean): string {
  if (input === undefined) return 'is missing';
  if (input === null) return `is empty, must be ${wanted}`;
  const quotable = textWanted && (typeof input === 'number' || typeof input === 'boolean');
  return `must be ${wanted}, not ${kind(input)}${quotable ? `; write it in quotes: "${String(input)}"` : ''}`;
}

function tooSmall(origin: string, least: number | bigint, inclusive: boolean): string {
  if (origin === 'string' && least === 1) return 'is empty';
  if (origin === 'string') return `must have at least ${least} characters`;
  if (isCollection(origin)) return `must have at least ${least} ${least === 1 ? 'entry' : 'entries'}`;
  return inclusive ? `must be at least ${least}` : `must be more than ${least}`;
}

function tooBig(origin: string, most: number | bigint, inclusive: boolean): string {
  if (origin === 'string') return `must have at most ${most} characters`;
  if (isCollection(origin)) return `must have at most ${most} ${most === 1 ? 'entry' : 'entries'}`;
  return inclusive ? `must be at most ${most}` : `must be less than ${most}`;
}

function isCollection(origin: string): boolean {
  return origin === 'array' || origin === 'set' || origin === 'map' || origin === 'record' || origin === 'object';
}

function noun(type: string): string {
  return nouns[type] ?? type;
}

function choice(values: readonly unknown[]): string {
  const shown = values.map((value) => JSON.stringify(value) ?? String(value));
  return shown.length === 1 ? shown.join('') : `one of ${shown.join(', ')}`;
}

function kind(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
}
