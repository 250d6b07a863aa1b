import { connect } from 'node:net';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { socketAddress } from '../broker/socket-address.js';
import type { ProfileLocation } from '../config/home.js';
import { messageOf, WherryError } from '../errors.js';
import { type Holder, isAlive, livingHolder } from './holder.js';
import { type DaemonReply, type DaemonRequest, type DaemonStatus, mostWorkers, type Reloaded } from './messages.js';
import { daemonPlaces } from './places.js';
import { stopRest, stopTimeout } from './stop-timeout.js';

/** Milliseconds that a daemon has for a short answer. */
const patience = 5_000;

/** Milliseconds for all workers to be replaced; each takes a minute at most, and hardly ever more than some seconds. */
const reloadPatience = (mostWorkers + 1) * 60_000;

/** What a connection fails with when nobody listens: no file, or one that a dead daemon left. */
const nobodyThere: ReadonlySet<string> = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR']);

/** How the daemon of a profile is; undefined when none runs. Fails with `daemon-failed` when it does not answer. */
export async function daemonStatus(
  location: Pick<ProfileLocation, 'directory'>,
  timeout = patience,
): Promise<DaemonStatus | undefined> {
  const reply = await ask(location, { command: 'status' }, timeout);
  return reply !== undefined && 'status' in reply ? reply.status : undefined;
}

/** Sets the number of workers of a running daemon and returns how it is then. */
export async function scaleDaemon(
  location: Pick<ProfileLocation, 'directory'>,
  workers: number,
): Promise<DaemonStatus> {
  const reply = await ask(location, { command: 'scale', workers }, patience);
  if (reply === undefined || !('status' in reply)) throw notRunning();
  return reply.status;
}

/** Has the daemon replace all its workers, one after another, and waits until that is over. */
export async function reloadDaemon(
  location: Pick<ProfileLocation, 'directory'>,
  signal: AbortSignal,
): Promise<Reloaded> {
  const reply = await ask(location, { command: 'reload' }, reloadPatience, signal);
  if (reply === undefined || !('reloaded' in reply)) throw notRunning();
  return reply.reloaded;
}

/** How a daemon was stopped. */
export interface Stopped {
  /** Workers that did not end in time and were killed by their supervisor. */
  readonly killedWorkers: number;
  /** Set when the supervisor did not answer: what it ended by. */
  readonly forced?: { readonly pid: number; readonly signal: 'SIGTERM' | 'SIGKILL' };
}

/**
 * Stops the daemon and waits until its supervisor has ended. One that does not answer is sent SIGTERM, and SIGKILL when
 * that does not help in time; its workers end by themselves, because their channel is gone.
 * Errors: `daemon-failed` when it neither answers nor can be ended from here.
 * @param timeout milliseconds that its workers have before they are killed; as the daemon's settings say when absent
 * @param tell told of what takes long
 * @returns undefined when no daemon runs
 */
export async function stopDaemon(
  location: Pick<ProfileLocation, 'directory'>,
  timeout: number | undefined,
  tell: (sentence: string) => void = () => undefined,
): Promise<Stopped | undefined> {
  let time = timeout ?? stopTimeout;
  try {
    // One that hangs is found out by a short question.
    const status = await daemonStatus(location);
    if (status === undefined) return undefined;
    // A daemon of an earlier version says nothing of it.
    time = timeout ?? status.stopTimeout ?? stopTimeout;
    const reply = await ask(location, { command: 'stop', timeout: time }, time + stopRest.patience);
    return reply !== undefined && 'stopped' in reply ? { killedWorkers: reply.killed } : undefined;
  } catch (error) {
    const holder = livingHolder(daemonPlaces(location).holderFile);
    if (holder === undefined) throw error;
    tell(`${messageOf(error)}; it is being ended`);
    return { killedWorkers: 0, forced: { pid: holder.pid, signal: await endHolder(holder, time) } };
  }
}

/** Ends a program by SIGTERM, then by SIGKILL; verified again before each, for a pid may be given to another. */
async function endHolder(holder: Holder, timeout: number): Promise<'SIGTERM' | 'SIGKILL'> {
  for (const [signal, wait] of [
    ['SIGTERM', timeout],
    ['SIGKILL', patience],
  ] as const) {
    if (isAlive(holder)) process.kill(holder.pid, signal);
    // One that was only stopped can then end in good order.
    if (isAlive(holder)) process.kill(holder.pid, 'SIGCONT');
    const deadline = performance.now() + wait;
    while (isAlive(holder) && performance.now() < deadline) await delay(50);
    if (!isAlive(holder)) return signal;
  }
  throw new WherryError('daemon-failed', `the daemon (pid ${holder.pid}) did not even end by SIGKILL`, {
    hint: 'it may hang in a file system that does not answer',
  });
}

/** The error that says how to get a daemon. */
export function notRunning(): WherryError {
  return new WherryError('daemon-not-running', 'no daemon runs for this profile', {
    hint: 'start one: wherry daemon start',
  });
}

/** One request and its reply; undefined when nobody listens. */
async function ask(
  { directory }: Pick<ProfileLocation, 'directory'>,
  request: DaemonRequest,
  timeout: number,
  signal?: AbortSignal,
): Promise<DaemonReply | undefined> {
  let text: string;
  try {
    using address = socketAddress(directory, basename(daemonPlaces({ directory }).socketFile));
    text = await exchange(address.path, `${JSON.stringify(request)}\n`, timeout, signal);
  } catch (error) {
    if (signal?.aborted) throw new WherryError('aborted', 'stopped on request', { cause: error });
    const holder = livingHolder(daemonPlaces({ directory }).holderFile);
    const nobody = nobodyThere.has((error as NodeJS.ErrnoException).code ?? '');
    if (nobody && holder === undefined) return undefined;
    const who = holder === undefined ? '' : ` (pid ${holder.pid})`;
    const reason = nobody ? 'nothing listens on its socket' : messageOf(error);
    throw new WherryError('daemon-failed', `the daemon${who} does not answer: ${reason}`, {
      hint: 'try again; if it stays so, end it with: wherry daemon stop',
      cause: error,
    });
  }
  const reply = JSON.parse(text) as DaemonReply;
  if ('error' in reply) throw new WherryError('daemon-failed', `the daemon refused: ${reply.error}`);
  return reply;
}

function exchange(path: string, text: string, timeout: number, signal?: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(path);
    const timer = setTimeout(() => socket.destroy(new Error(`nothing came for ${timeout / 1_000} s`)), timeout);
    const leave = () => void socket.destroy(new Error('stopped on request'));
    signal?.addEventListener('abort', leave, { once: true });
    socket.setEncoding('utf8');
    socket.once('error', reject);
    socket.once('connect', () => socket.write(text));
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.once('close', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
      // Without effect after an error.
      if (answer.endsWith('\n')) resolve(answer);
      else reject(new Error('it ended without an answer'));
    });
    socket.once('end', () => socket.end());
  });
}
