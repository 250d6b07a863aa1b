import { createHash } from 'node:crypto';
import { Data, LocalFile } from '../process/data.js';
import { canonicalJson } from '../store/data.js';

/** Why something that a workflow asked for failed: enough to fail in the same way again. */
export interface RecordedError {
  readonly code: string;
  readonly message: string;
  /** Of the code that failed. */
  readonly stack?: string | undefined;
}

/**
 * What a workflow asked for: the *calls*. They are numbered in the order in which they were made, which is the same
 * each time that the workflow is replayed.
 */
export type CallRecord =
  | {
      readonly type: 'process';
      readonly name: string;
      /** Of its inputs as they were given. */
      readonly fingerprint: string;
      /** uuid; null where the inputs were refused. */
      readonly child: string | null;
    }
  | { readonly type: 'step'; readonly name: string }
  /** Milliseconds since the epoch. */
  | { readonly type: 'sleep'; readonly until: number }
  | { readonly type: 'pause'; readonly reason: string }
  | { readonly type: 'report'; readonly message: string }
  | { readonly type: 'value'; readonly of: 'now' | 'random' | 'uuid'; readonly value: number | string }
  | { readonly type: 'output'; readonly label: string; readonly fingerprint: string };

/** What a workflow was told, and in which order among its calls: the *answers*. */
export type AnswerRecord =
  /** A child has ended; how stands in its own row. */
  | { readonly type: 'ended'; readonly call: number }
  | { readonly type: 'woken'; readonly call: number }
  | { readonly type: 'done'; readonly call: number; readonly value: unknown }
  | { readonly type: 'failed'; readonly call: number; readonly error: RecordedError };

export type WorkflowRecord = CallRecord | AnswerRecord;

export function isAnswer(record: WorkflowRecord): record is AnswerRecord {
  return 'call' in record;
}

/** A call in words, for messages. */
export function describeCall(record: CallRecord): string {
  switch (record.type) {
    case 'process':
      return `a call of ${record.name}`;
    case 'step':
      return `the step ${JSON.stringify(record.name)}`;
    case 'sleep':
      return 'a sleep';
    case 'pause':
      return 'a pause';
    case 'report':
      return `the report ${JSON.stringify(record.message.slice(0, 60))}`;
    case 'value':
      return `a question for ${{ now: 'the time', random: 'a random number', uuid: 'a new uuid' }[record.of]}`;
    case 'output':
      return `the output ${record.label}`;
  }
}

/** Do two calls ask for the same? What was drawn or decided the first time is no part of the question. */
export function isSameCall(one: CallRecord, other: CallRecord): boolean {
  if (one.type !== other.type) return false;
  const asked = questionOf(other);
  return questionOf(one).every((part, index) => isSame(part, asked[index]));
}

function questionOf(record: CallRecord): readonly unknown[] {
  switch (record.type) {
    case 'process':
      return [record.fingerprint, record.name];
    case 'step':
      return [record.name];
    case 'sleep':
    case 'pause':
      return [];
    case 'report':
      return [record.message];
    case 'value':
      return [record.of];
    case 'output':
      return [record.label, record.fingerprint];
  }
}

/** These are words; whoever gave something else gets what JSON makes of it back from the record. */
function isSame(one: unknown, other: unknown): boolean {
  return one === other || canonicalJson([one]) === canonicalJson([other]);
}

/** Tells given inputs or outputs apart, without storing or checking anything. */
export function fingerprintOf(given: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(given === undefined ? null : named(given, 0)))
    .digest('base64url');
}

/** Deeper than anything that may be stored: what is refused later must not hang here. */
const deepest = 1_000;

/** A value with the names in it in order, so that equal ones give equal text. */
function named(value: unknown, depth: number): unknown {
  if (value instanceof Data) return { $data: value.uuid };
  if (value instanceof LocalFile) return { $file: value.path };
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') return String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > deepest) return { $deeper: true };
  if (Array.isArray(value)) return value.map((part) => named(part, depth + 1));
  const entries = value as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    Object.keys(entries)
      .sort()
      .map((key) => [key, named(entries[key], depth + 1)]),
  );
}
