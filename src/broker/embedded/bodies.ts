import { type Failure, failureOf } from '../failure.js';

export const noBody: Buffer = Buffer.alloc(0);

/** Characters of a reason or an error's message: what is longer is no message any more. */
const longestText = 1_500;

export function boundedText(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText)} …`;
}

/** An error in words that fit into a frame. */
export function boundedFailure(error: unknown): Failure {
  const { code, message, hint, transient } = failureOf(error);
  return { code, message: boundedText(message), transient, ...(hint === undefined ? {} : { hint: boundedText(hint) }) };
}
