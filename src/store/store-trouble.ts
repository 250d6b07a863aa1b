import { WherryError } from '../errors.js';

/** A failure of the database that passes. */
export type StoreTrouble = WherryError & { readonly code: 'store-failed'; readonly transient: true };

/**
 * Is it the database that failed, in a way that passes (it is being restarted, its disk is full)? That is nobody's
 * failed attempt: the same row is found again when the database answers.
 */
export function isStoreTrouble(error: unknown): error is StoreTrouble {
  return error instanceof WherryError && error.code === 'store-failed' && error.transient;
}
