import { type ErrorCode, errorCodes, WherryError } from '../errors.js';

/** A WherryError in words, as it travels from one program to another. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  readonly transient: boolean;
}

/** An error in words. What is none of ours is a defect of whoever made it. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof WherryError)) {
    return { code: 'internal', message: error instanceof Error ? error.message : String(error), transient: false };
  }
  const { code, message, hint, transient } = error;
  return { code, message, hint, transient };
}

/** The error that these words tell of. A code that only a newer program knows is taken for a defect. */
export function errorOf({ code, message, hint, transient }: Failure): WherryError {
  const known = Object.hasOwn(errorCodes, code) ? (code as ErrorCode) : 'internal';
  return new WherryError(known, message, { transient, ...(hint === undefined ? {} : { hint }) });
}
