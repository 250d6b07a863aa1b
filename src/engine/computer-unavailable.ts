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
  const { code, message, hint } = JSON.parse(hold) as { code: HoldCode; message: string; hint?: string };
  const first = hint ? `${hint}; then ` : code === disabled ? '' : 'mend it, then ';
  return new WherryError(code === disabled ? 'aborted' : code, message, {
    hint: `${first}run: ${releaseCommand(label, code)}`,
  });
}

/** The code of a hold that a person has put on a computer. */
export const disabled = 'disabled';
type HoldCode = 'authentication-refused' | typeof disabled;

/** The command that lifts a hold. */
export function releaseCommand(label: string, code: string): string {
  return `wherry computer ${code === disabled ? 'enable' : 'test'} ${label}`;
}
