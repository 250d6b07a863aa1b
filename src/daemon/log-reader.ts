import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Milliseconds between two looks at a log that is followed. */
const lookEvery = 200;

/** Bytes that are read at once. */
const chunkSize = 65_536;

/** The last lines of the daemon's log, oldest first, also from the file that was put aside last. */
export function lastLogLines(file: string, count: number): string[] {
  if (count === 0) return [];
  const lines = linesOf(file);
  if (lines.length < count) lines.unshift(...linesOf(`${file}.1`));
  return lines.slice(-count);
}

/** Gives every line that is written to the log after `from` bytes, until the signal comes; goes along when files are put aside. */
export async function* followLog(file: string, from: number, signal: AbortSignal): AsyncGenerator<string> {
  let position = from;
  let rest = '';
  let descriptor = openIfThere(file);
  try {
    while (!signal.aborted) {
      // Asked before the reading: what is written until a file is put aside is then still read from it.
      const aside = descriptor !== undefined && inodeOf(file) !== fstatSync(descriptor).ino;
      for (let text = readFrom(descriptor, position); text !== ''; text = readFrom(descriptor, position)) {
        position += Buffer.byteLength(text, 'latin1');
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) yield Buffer.from(line, 'latin1').toString();
      }
      if (descriptor === undefined || aside) {
        if (descriptor !== undefined) closeSync(descriptor);
        descriptor = openIfThere(file);
        position = 0;
        rest = '';
        if (descriptor !== undefined) continue;
      }
      await delay(lookEvery, undefined, { signal }).catch(() => undefined);
    }
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** Bytes that the log has now; 0 when there is none. */
export function logSize(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function openIfThere(file: string): number | undefined {
  try {
    return openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function inodeOf(file: string): number | undefined {
  return statSync(file, { throwIfNoEntry: false })?.ino;
}

/** Bytes as text, one character each, so that a character cut in two is put together again with its line. */
function readFrom(descriptor: number | undefined, position: number): string {
  if (descriptor === undefined) return '';
  const buffer = Buffer.alloc(chunkSize);
  return buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, chunkSize, position));
}
