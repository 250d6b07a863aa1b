import { WherryError } from '../errors.js';

/**
 * Is it the database that failed, in a way that passes (it is being restarted, its disk is full)? That is nobody's
 * failed attempt: the same row is found again when the database answers.
 */
export function isStoreTrouble(error: unknown): error is WherryError {
  return error instanceof WherryError && error.code === 'store-failed' && error.transient;
}
