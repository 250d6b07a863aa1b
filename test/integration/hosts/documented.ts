import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { wordsOf } from '../docs/words.js';

const page = fileURLToPath(new URL('../../../docs/hosts.md', import.meta.url));

/**
 * The words of the command of docs/hosts.md that begins so, with other values in place of the documented ones. A value
 * that is not documented is an error: tests do what the page says.
 */
export function documented(beginning: string, values: Readonly<Record<string, string>> = {}): string[] {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/^```sh\n(.*?)^```/gms)].map(([, text]) => text ?? '');
  const line = blocks.flatMap((block) => block.split('\n')).find((one) => one.startsWith(`wherry ${beginning}`));
  if (line === undefined) throw new Error(`docs/hosts.md has no command "wherry ${beginning}"`);
  const words = wordsOf(line);
  const strange = Object.keys(values).filter((value) => !words.includes(value));
  if (strange.length > 0) throw new Error(`"${line}" does not have ${strange.join(', ')}`);
  return words.map((word) => values[word] ?? word);
}
