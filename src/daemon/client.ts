import { connect } from 'node:net';
import type { ProfileLocation } from '../config/home.js';
import { messageOf, WherryError } from '../errors.js';
import type { DaemonReply, DaemonRequest, DaemonStatus } from './messages.js';
import { socketAddress } from './places.js';

/** Milliseconds that a daemon has for a short answer. */
const patience = 5_000;

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

/**
 * Stops the daemon and waits until everything of it has ended.
 * @param timeout milliseconds that its workers have before they are killed
 * @returns how many were killed; undefined when no daemon runs
 */
export async function stopDaemon(
  location: Pick<ProfileLocation, 'directory'>,
  timeout: number,
): Promise<number | undefined> {
  const reply = await ask(location, { command: 'stop', timeout }, timeout + 2 * patience);
  return reply !== undefined && 'stopped' in reply ? reply.killed : undefined;
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
): Promise<DaemonReply | undefined> {
  let text: string;
  try {
    using address = socketAddress(directory);
    text = await exchange(address.path, `${JSON.stringify(request)}\n`, timeout);
  } catch (error) {
    if (nobodyThere.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw new WherryError('daemon-failed', `the daemon does not answer: ${messageOf(error)}`, {
      hint: 'see: wherry daemon logs',
      cause: error,
    });
  }
  const reply = JSON.parse(text) as DaemonReply;
  if ('error' in reply) throw new WherryError('daemon-failed', `the daemon refused: ${reply.error}`);
  return reply;
}

function exchange(path: string, text: string, timeout: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(path);
    const timer = setTimeout(() => socket.destroy(new Error(`nothing came for ${timeout / 1_000} s`)), timeout);
    socket.setEncoding('utf8');
    socket.once('error', reject);
    socket.once('connect', () => socket.write(text));
    socket.on('data', (chunk: string) => {
      answer += chunk;
    });
    socket.once('close', () => {
      clearTimeout(timer);
      // Without effect after an error.
      if (answer.endsWith('\n')) resolve(answer);
      else reject(new Error('it ended without an answer'));
    });
    socket.once('end', () => socket.end());
  });
}
