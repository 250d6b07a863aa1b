import { readFileSync } from 'node:fs';
import type { ExecResult } from '../../src/plugin.js';

/** One command that was run on a real system, and what it gave. */
export interface Capture {
  readonly title: string;
  readonly command: string;
  readonly result: ExecResult;
}

const shape = /^### (.*)\n\$ (.*)\n--- stdout\n([\s\S]*?)--- stderr\n([\s\S]*?)--- exit (\w+)$/gm;

/**
 * Reads a file of captures below `fixtures/`, by title. Each capture is a title, the command behind `$`, and stdout,
 * stderr and the exit code (or the signal) behind lines that say so. `…;` stands for a preamble left out.
 */
export function readCaptures(file: string): ReadonlyMap<string, Capture> & { take(title: string): Capture } {
  const text = readFileSync(new URL(`../../fixtures/${file}`, import.meta.url), 'utf8');
  const captures = new Map<string, Capture>();
  for (const [, title = '', command = '', stdout = '', stderr = '', end = ''] of text.matchAll(shape)) {
    if (captures.has(title)) throw new Error(`${file} has two captures called "${title}"`);
    captures.set(title, { title, command, result: resultOf(stdout, stderr, end) });
  }
  const take = (title: string) => {
    const capture = captures.get(title);
    if (capture === undefined) throw new Error(`${file} has no capture called "${title}"`);
    return capture;
  };
  return Object.assign(captures, { take });
}

function resultOf(stdout: string, stderr: string, end: string): ExecResult {
  const isCode = /^\d+$/.test(end);
  return { stdout, stderr, exitCode: isCode ? Number(end) : null, signal: isCode ? null : end, durationMs: 1 };
}

/** What a command gave that ended well, unless said otherwise. */
export function resultWith(fields: Partial<ExecResult>): ExecResult {
  return { stdout: '', stderr: '', exitCode: 0, signal: null, durationMs: 1, ...fields };
}
