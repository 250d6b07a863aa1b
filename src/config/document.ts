import type { z } from 'zod';
import { issuesError, type Origin } from './issues.js';
import { mostBytes, tooLarge } from './text-file.js';
import { validate } from './validate.js';
import { parseText } from './yaml-text.js';

export interface DocumentOptions<Schema extends z.ZodType> {
  /** File name for messages. */
  readonly source: string;
  readonly schema: Schema;
}

/** A checked value, and where its parts stand in the text: for checks that come later. */
export interface CheckedDocument<Value> {
  readonly value: Value;
  readonly origin: Origin;
}

/** Reads YAML or JSON text that holds one mapping. An InputError tells everything that is wrong, line by line. */
export function readDocument<Schema extends z.ZodType>(
  text: string,
  options: DocumentOptions<Schema>,
): z.output<Schema> {
  return readCheckedDocument(text, options).value;
}

/** Like `readDocument`, with the places of the value's parts. */
export function readCheckedDocument<Schema extends z.ZodType>(
  text: string,
  { source, schema }: DocumentOptions<Schema>,
): CheckedDocument<z.output<Schema>> {
  if (Buffer.byteLength(text) > mostBytes) throw tooLarge(source);
  const parsed = parseText(text.replace(/^\uFEFF/, ''));
  if (!parsed.ok) throw issuesError(source, parsed.issues);
  const origin: Origin = { source, locate: parsed.locate };
  const { value } = parsed;
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    const message = value === null ? 'is empty' : 'must be a mapping: lines of the form "key: value"';
    throw issuesError(source, [{ path: '', message, line: 1, column: 1 }]);
  }
  return { value: validate(value, schema, origin), origin };
}
