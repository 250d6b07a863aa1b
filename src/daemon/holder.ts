import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { startTimeOf } from '../store/leases.js';

/**
 * The program that has the lock of a daemon, as it wrote itself down beside it: enough to end one that does not answer.
 * Whether a daemon lives is for the lock to say; this may be of a dead one.
 */
export interface Holder {
  readonly pid: number;
  readonly host: string;
  /** Tells a program from a later one with the same pid. */
  readonly startTime: string;
}

/** Writes this program down as the holder, until it is disposed of. */
export function recordHolder(file: string): Disposable {
  const holder: Holder = { pid: process.pid, host: hostname(), startTime: startTimeOf(process.pid) ?? '' };
  writeFileSync(file, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  return { [Symbol.dispose]: () => rmSync(file, { force: true }) };
}

/** The holder that is written down, if it lives on this host for certain. */
export function livingHolder(file: string): Holder | undefined {
  try {
    const holder = JSON.parse(readFileSync(file, 'utf8')) as Holder;
    return isAlive(holder) ? holder : undefined;
  } catch {
    return undefined;
  }
}

/** Does exactly this program run on this host? */
export function isAlive({ pid, host, startTime }: Holder): boolean {
  return host === hostname() && startTime !== '' && startTimeOf(pid) === startTime;
}
