import type { ClientChannel } from 'ssh2';
import { openExec, type Session } from './channels.js';
import { signalChannel } from './internals.js';

/** Milliseconds that a command has to end after TERM. */
const grace = 500;
/** Milliseconds for ending it by a command of its own. */
const killTime = 2_000;

/**
 * Ends the processes of a command: TERM to its process group through the channel, and when they stay, KILL to the group
 * and the session by a second command, which also works with servers that know no signals. Never rejects; returns
 * when the channel is closed or all was tried.
 */
export async function endRemotely(
  session: Session,
  channel: ClientChannel,
  processId: number | undefined,
): Promise<void> {
  let open = true;
  const closed = new Promise<void>((resolve) => channel.once('close', () => resolve())).then(() => {
    open = false;
  });
  // Output that nobody wants any more must not keep the channel from closing.
  channel.resume();
  channel.stderr.resume();
  signalChannel(session.client, channel, 'TERM');
  await within(grace, session.lost, closed);
  if (open) {
    signalChannel(session.client, channel, 'KILL');
    if (processId !== undefined && processId > 1) await kill(session, processId);
  }
  channel.close();
}

async function kill(session: Session, processId: number): Promise<void> {
  const signal = AbortSignal.any([session.lost, AbortSignal.timeout(killTime)]);
  const line = `exec /bin/sh -c 'kill -KILL -${processId}; pkill -KILL -s ${processId}; exit 0'`;
  try {
    const channel = await openExec(session, line, signal);
    const closed = new Promise<void>((resolve) => channel.once('close', () => resolve()));
    channel.resume();
    channel.stderr.resume();
    channel.end();
    await within(killTime, session.lost, closed);
  } catch {
    // The command was given up already; that it could not be killed either changes nothing for the caller.
  }
}

async function within(milliseconds: number, lost: AbortSignal, promise: Promise<void>): Promise<void> {
  const signal = AbortSignal.any([lost, AbortSignal.timeout(milliseconds)]);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    promise.then(resolve, resolve);
  });
}
