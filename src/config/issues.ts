import { InputError, type InputIssue } from '../errors.js';

/** A place in a text; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export type Path = readonly PropertyKey[];

/** Where a value came from, so that what is wrong with it can be shown there. */
export interface Origin {
  /** Name of the file for messages; '' when there is none. */
  readonly source: string;
  /** Place of the key or the value at `path`, or of the nearest thing around it. */
  locate?(path: Path, what: 'key' | 'value'): Position | undefined;
}

/** Beyond this many issues only their number is told: a wrong file of a million lines is one mistake. */
export const mostIssues = 100;

/** Messages quote the input, which may be a key of megabytes. */
const mostCharacters = 500;

/** An issue at `path`, with its position as far as the origin knows it. */
export function issueAt(origin: Origin, path: Path, message: string, what: 'key' | 'value' = 'value'): InputIssue {
  const short = message.length > mostCharacters ? `${message.slice(0, mostCharacters)}…` : message;
  return { path: dotted(path), message: short, ...origin.locate?.(path, what) };
}

/** All issues of one input as one error; its message is the text of `formatIssues`. `unseen` more are only counted. */
export function issuesError(source: string, issues: readonly InputIssue[], unseen = 0): InputError {
  const shown = issues.toSorted(byPlace).slice(0, mostIssues);
  const rest = issues.length - shown.length + unseen;
  if (rest > 0) shown.push({ path: '', message: `and ${rest} more` });
  return new InputError(formatIssues(source, shown), shown);
}

function byPlace(one: InputIssue, other: InputIssue): number {
  return (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0);
}

/**
 * One line for each issue: `job.yaml:3:1 unknown key "comand" (did you mean "command"?)`. Control characters, which
 * may come from the input, are escaped.
 */
export function formatIssues(source: string, issues: readonly InputIssue[]): string {
  return issues.map((issue) => visible(formatIssue(source, issue))).join('\n');
}

function formatIssue(source: string, { path, message, line, column }: InputIssue): string {
  const text = path === '' ? message : `${path}: ${message}`;
  if (source === '') return text;
  return line === undefined ? `${source}: ${text}` : `${source}:${line}:${column ?? 1} ${text}`;
}

/** Text with control characters written as JSON would write them, safe to show on a terminal. */
export function visible(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return '\\t';
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** `retrieve[0].from`, `files["a b"]`. */
export function dotted(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    const whole = String(part);
    const key = whole.length > mostCharacters ? `${whole.slice(0, mostCharacters)}…` : whole;
    if (!/^[\p{L}_][\p{L}\p{N}_-]*$/u.test(key)) return `${text}[${JSON.stringify(key)}]`;
    return text === '' ? key : `${text}.${key}`;
  }, '');
}
