import pRetry from 'p-retry';
import type { Client, ClientChannel, SFTPWrapper } from 'ssh2';
import { messageOf } from '../../src/plugin.js';
import { backPressure, isChannelRefusal, lostError } from './errors.js';
import { unlessAborted } from './scope.js';

/** One logged-in connection, as exec and files use it. */
export interface Session {
  readonly client: Client;
  /** `user@host:port`, for messages. */
  readonly target: string;
  readonly lost: AbortSignal;
  readonly loginShell: boolean;
}

/** Milliseconds for which a refused channel is asked for again. */
const patience = 10_000;

/** Opens a channel that runs `line`. */
export function openExec(session: Session, line: string, signal: AbortSignal): Promise<ClientChannel> {
  return openChannel(
    session,
    signal,
    (done) => session.client.exec(line, done),
    (channel) => channel.destroy(),
  );
}

/** Opens an SFTP channel. Whoever opens it must `end()` it: each counts as a session of the server. */
export function openSftp(session: Session, signal: AbortSignal): Promise<SFTPWrapper> {
  return openChannel(
    session,
    signal,
    (done) => session.client.sftp(done),
    (sftp) => sftp.end(),
  );
}

/**
 * Asks for a channel, again after short waits while the server refuses for want of sessions. A channel that comes after
 * the signal has fired is dropped.
 */
async function openChannel<T>(
  session: Session,
  signal: AbortSignal,
  request: (done: (error: Error | undefined, channel: T) => void) => void,
  drop: (channel: T) => void,
): Promise<T> {
  const attempt = async () => {
    const opened = new Promise<T>((resolve, reject) => {
      request((error, channel) => {
        if (error) reject(error);
        else if (signal.aborted) drop(channel);
        else resolve(channel);
      });
    });
    return await unlessAborted(signal, opened);
  };
  try {
    return await pRetry(attempt, {
      retries: 1_000,
      minTimeout: 4,
      factor: 1.5,
      maxTimeout: 250,
      maxRetryTime: patience,
      randomize: true,
      signal,
      shouldRetry: ({ error }) => isChannelRefusal(error),
    });
  } catch (error) {
    signal.throwIfAborted();
    if (isChannelRefusal(error)) throw backPressure(session.target, error);
    // ssh2 answers so when the socket has gone and nobody has told us yet.
    if (/Not connected|No response from server/.test(messageOf(error))) throw lostError(session.target, error);
    throw error;
  }
}
