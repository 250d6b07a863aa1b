#!/usr/bin/env node
import { readFileSync } from 'node:fs';

/** Version of this package; the built file stands at dist/src/cli/main.js. */
function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

const words = process.argv.slice(2);
// Answered before anything is imported: shells and scripts ask often.
if (words.length === 1 && (words[0] === '--version' || words[0] === '-V')) {
  process.stdout.write(`${version()}\n`);
} else {
  const { runProgram } = await import('./program.js');
  process.exitCode = await runProgram(words, version());
}
