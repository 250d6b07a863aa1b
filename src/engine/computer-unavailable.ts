import { messageOf, WherryError } from '../errors.js';

/** There is no connection now: nobody's attempt is used up, the computer's own waiting time or hold rules. */
export class ComputerUnavailable extends WherryError {
  override readonly name = 'ComputerUnavailable';

  constructor(label: string, cause: unknown) {
    const known = cause instanceof WherryError ? cause : undefined;
    super(known?.code ?? 'connection-failed', `${label} cannot be used: ${messageOf(cause)}`, {
      transient: true,
      ...(known?.hint === undefined ? {} : { hint: known.hint }),
      cause,
    });
  }
}

/** The error that a hold stands for. */
export function heldError(label: string, hold: string): WherryError {
  const { code, message, hint } = JSON.parse(hold) as {
    code: 'authentication-refused';
    message: string;
    hint?: string;
  };
  return new WherryError(code, message, {
    hint: `${hint ? `${hint}; then` : 'mend it, then'} run: wherry computer test ${label}`,
  });
}
