import { WherryError } from '../errors.js';
import { type ExitCode, type StandardExitCode, standardExitCodes } from './exit-codes.js';

/** A way in which a process can end by itself, `{name}` in its message filled in when it does. */
export interface ExitCodeTemplate {
  /** Greater than 0. */
  readonly status: number;
  readonly message: string;
  /** May an equal process take over such an end, as it may one with status 0? Default: false. */
  readonly cache?: boolean;
}
export type ExitCodeTemplates = Readonly<Record<string, ExitCodeTemplate>>;

/**
 * How a process ends by one of its own exit codes, or by one that every process can have.
 * @param parameters what stands for `{name}` in the message
 * Errors: `bad-definition` for a label that is neither, and for a parameter that is missing
 */
export function exitCode(
  spec: { readonly name: string; readonly exitCodes?: ExitCodeTemplates },
  label: string,
  parameters: Readonly<Record<string, string | number>> = {},
): ExitCode {
  const template = templateOf(spec.exitCodes ?? {}, label);
  if (template === undefined) {
    const labels = Object.keys(spec.exitCodes ?? {});
    throw new WherryError('bad-definition', `${spec.name} has no exit code ${JSON.stringify(label)}`, {
      hint: labels.length === 0 ? 'it declares none' : `it declares ${labels.join(', ')}`,
    });
  }
  const missing = parametersOf(template.message).filter((name) => !Object.hasOwn(parameters, name));
  if (missing.length > 0) {
    throw new WherryError('bad-definition', `the exit code ${label} of ${spec.name} needs ${missing.join(', ')}`);
  }
  const message = template.message.replace(placeholder, (_all, name: string) => String(parameters[name]));
  return { status: template.status, label, message };
}

const placeholder = /\{([A-Za-z_]\w*)\}/g;

/** The names that the message of an exit code asks for. */
export function parametersOf(message: string): string[] {
  return [...new Set([...message.matchAll(placeholder)].map(([, name = '']) => name))];
}

function templateOf(own: ExitCodeTemplates, label: string): ExitCodeTemplate | undefined {
  if (Object.hasOwn(own, label)) return own[label];
  return Object.hasOwn(standardExitCodes, label) ? standardExitCodes[label as StandardExitCode] : undefined;
}

/** What is wrong with the exit codes of a definition; empty when nothing is. */
export function flawsOfExitCodes(templates: ExitCodeTemplates): string[] {
  const flaws: string[] = [];
  const labels = new Map<number, string>();
  for (const [label, { status }] of Object.entries(templates)) {
    if (!/^[A-Za-z_]\w*$/.test(label)) flaws.push(`${JSON.stringify(label)} cannot be the label of an exit code`);
    if (!Number.isSafeInteger(status) || status < 1)
      flaws.push(`the status of ${label} must be a whole number above 0`);
    const other = labels.get(status);
    if (other !== undefined) flaws.push(`${other} and ${label} have the same status ${status}`);
    labels.set(status, label);
  }
  return flaws;
}
