import { createInterface } from 'node:readline/promises';
import { InputError } from '../errors.js';
import { printable } from './terminal.js';

/** May questions be asked? Only when a person sits at both ends. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** A question on the terminal; an empty answer takes the suggestion. */
export async function ask(question: string, suggestion = ''): Promise<string> {
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new AbortController();
  prompt.once('close', () => closed.abort());
  try {
    const shown = suggestion === '' ? '' : ` [${printable(suggestion)}]`;
    const answer = await prompt.question(`${question}${shown}: `, { signal: closed.signal });
    return answer.trim() || suggestion;
  } catch (error) {
    if (!closed.signal.aborted) throw error;
    throw new InputError('the input ended before all questions were answered; nothing was stored');
  } finally {
    prompt.close();
  }
}
