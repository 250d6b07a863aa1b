import { messageOf, WherryError } from '../../errors.js';
import type { Transition } from '../../process/transition.js';

/** Code of a user failed: the process is excepted with its words. */
export function excepted(error: unknown): Transition {
  const stack = error instanceof Error ? error.stack : undefined;
  const { code, hint } = error instanceof WherryError ? error : { code: 'computation-failed', hint: undefined };
  return { to: 'excepted', exception: { code, message: messageOf(error), hint, stack } };
}
