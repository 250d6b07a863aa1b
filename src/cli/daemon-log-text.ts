import type { LogEntry } from '../daemon/log.js';
import { clock } from './process-text.js';
import { paint, printable } from './terminal.js';

/** A line of the daemon's log for people; a line that is no entry is shown as it is. */
export function logLineText(line: string): string {
  const entry = entryOf(line);
  if (entry === undefined) return printable(line);
  const { at, level, message, worker } = entry;
  const who = worker === undefined ? '' : `worker ${worker}: `;
  const mark = { info: '', warning: paint.yellow('warning '), error: paint.red('error ') }[level] ?? '';
  return `${clock(at)} ${mark}${printable(`${who}${message}`)}`;
}

function entryOf(line: string): (LogEntry & { readonly at: string }) | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const isEntry = typeof value === 'object' && value !== null && 'at' in value && 'message' in value;
    return isEntry ? (value as LogEntry & { at: string }) : undefined;
  } catch {
    // Written by a program that died, such as the stack of a defect.
    return undefined;
  }
}
