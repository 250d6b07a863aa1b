import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensureProfile, type ProfileLocation } from '../config/home.js';
import { type ErrorCode, WherryError } from '../errors.js';
import type { DaemonStatus, FromDaemon } from './messages.js';
import { daemonPlaces } from './places.js';

/** Milliseconds until all workers must be ready. */
const patience = 60_000;

/** The words that run the daemon of a profile in the foreground, beginning with the program. */
export function daemonWords({ home, profile }: ProfileLocation, workers: number): [string, ...string[]] {
  const program = fileURLToPath(new URL('../cli/main.js', import.meta.url));
  const asked = ['--home', home, '--profile', profile, '--workers', String(workers)];
  return [process.execPath, program, 'daemon', 'start', '--foreground', ...asked];
}

/**
 * Starts the daemon of a profile as a program of its own, and returns when all its workers are ready.
 * Errors: `daemon-running`, `daemon-failed`; then nothing of it is left.
 */
export async function launchDaemon(
  location: ProfileLocation,
  workers: number,
  signal: AbortSignal,
): Promise<DaemonStatus> {
  await ensureProfile(location);
  const [program, ...words] = daemonWords(location, workers);
  // What the daemon cannot write itself, because it died of it, stands in its log all the same.
  const log = openSync(daemonPlaces(location).logFile, 'a', 0o600);
  const child = spawn(program, words, { detached: true, cwd: '/', stdio: ['ignore', 'ignore', log, 'ipc'] });
  closeSync(log);
  const giveUp = () => child.kill('SIGTERM');
  const timer = setTimeout(giveUp, patience);
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    return await firstWord(child);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', giveUp);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

function firstWord(child: ChildProcess): Promise<DaemonStatus> {
  return new Promise((resolve, reject) => {
    let failure: WherryError | undefined;
    child.once('message', (message) => {
      const word = message as FromDaemon;
      if (word.type === 'ready') return resolve(word.status);
      const { code, message: text, hint } = word;
      // Rejected when the program has ended, so that the profile is free by then.
      failure = new WherryError(code as ErrorCode, text, hint === undefined ? {} : { hint });
    });
    child.once('error', (cause) => reject(new WherryError('daemon-failed', cause.message, { cause })));
    child.once('exit', (exitCode, signal) => {
      const end = signal === null ? `exit code ${exitCode}` : `signal ${signal}`;
      reject(failure ?? new WherryError('daemon-failed', `the daemon ended while it started (${end})`));
    });
  });
}
