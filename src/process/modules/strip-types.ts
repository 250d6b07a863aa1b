import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/wasm-typescript';

/** What the compiler throws: no Error, but the first thing that it could not take. */
interface Refusal {
  readonly code: string;
  readonly message: string;
  /** From 1 on. */
  readonly startLine?: number;
  /** From 0 on. */
  readonly startColumn?: number;
}

/**
 * TypeScript without its types. Blanks stand where they were, so that every line and column stays what it was.
 * Errors: a SyntaxError with the place, for text that is no TypeScript and for what is more than types.
 */
export function stripTypes(text: string, url: string): string {
  try {
    return transformSync(text, { mode: 'strip-only', module: true, filename: url }).code;
  } catch (thrown) {
    throw syntaxError(thrown as Refusal, fileURLToPath(url));
  }
}

function syntaxError({ code, message, startLine = 1, startColumn = 0 }: Refusal, file: string): SyntaxError {
  const isMore = code === 'UnsupportedSyntax';
  const reason = isMore
    ? `${message.replace(/ (is|are) not supported in strip-only mode$/, '')}: types are taken out and nothing is compiled, so this cannot be used`
    : message;
  const error = new SyntaxError(reason);
  // The stack of the compiler says nothing: what people look for is the place in their own text.
  error.stack = `SyntaxError: ${reason}\n    at ${file}:${startLine}:${startColumn + 1}`;
  return error;
}
