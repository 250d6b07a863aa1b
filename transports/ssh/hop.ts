import type { Duplex } from 'node:stream';
import ssh2, { type Client } from 'ssh2';
import { messageOf, WherryError } from '../../src/plugin.js';
import { type Authentication, prepareAuthentication } from './authentication.js';
import { openError } from './errors.js';
import { type HostKeyCheck, hostKeyCheck } from './host-key.js';
import { dropClient } from './internals.js';
import type { Hop } from './route.js';
import { unlessAborted } from './scope.js';

/** Logs in to one server, over a socket of its own or over `through`. The client keeps an error listener for ever. */
export async function connectHop(
  hop: Hop,
  through: Duplex | undefined,
  keepAliveInterval: number,
  signal: AbortSignal,
): Promise<Client> {
  const [hostKey, authentication] = await Promise.all([
    hostKeyCheck(hop.identity),
    prepareAuthentication(hop.login, signal),
  ]);
  signal.throwIfAborted();
  const client = new ssh2.Client();
  try {
    const ready = untilReady(client, hop, hostKey, authentication);
    client.connect({
      host: hop.hostName,
      port: hop.port,
      username: hop.login.user,
      ...(through === undefined ? {} : { sock: through }),
      ...(hop.addressFamily === 'inet' ? { forceIPv4: true } : {}),
      ...(hop.addressFamily === 'inet6' ? { forceIPv6: true } : {}),
      algorithms: { serverHostKey: [...hostKey.algorithms] as never },
      hostVerifier: ready.verifyHostKey,
      ...(authentication.handler === undefined ? {} : { authHandler: authentication.handler }),
      keepaliveInterval: keepAliveInterval * 1000,
      keepaliveCountMax: 2,
      // The caller's deadline covers it.
      readyTimeout: 0,
    });
    // Nagle's algorithm would cost 40 ms with every command.
    client.setNoDelay(true);
    await unlessAborted(signal, ready.promise);
    return client;
  } catch (error) {
    dropClient(client);
    throw error;
  }
}

/** A stream to `hop` through the server that `client` is logged in to. */
export async function forwardTo(client: Client, hop: Hop, signal: AbortSignal): Promise<Duplex> {
  const opened = new Promise<Duplex>((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, hop.hostName, hop.port, (error, stream) => {
      if (error) reject(forwardError(error, hop));
      else resolve(stream);
    });
  });
  return await unlessAborted(signal, opened);
}

interface Readiness {
  readonly promise: Promise<void>;
  verifyHostKey(key: Buffer): boolean;
}

function untilReady(client: Client, hop: Hop, hostKey: HostKeyCheck, authentication: Authentication): Readiness {
  let hostKeyError: WherryError | undefined;
  let handshaken = false;
  const promise = new Promise<void>((resolve, reject) => {
    client.on('ready', resolve);
    client.on('handshake', () => {
      handshaken = true;
    });
    client.on('error', (error: Error & { level?: string }) => {
      if (hostKeyError) reject(hostKeyError);
      else if (isOneKeyOnly(error)) authentication.note(error.message);
      else if (error.level === 'client-authentication') reject(authentication.refused());
      else if (/too many authentication failures/i.test(error.message)) {
        authentication.note('the server allows no more attempts; set identityFile and identitiesOnly: true');
        reject(authentication.refused());
      } else reject(openError(error, hop.target));
    });
    client.on('close', () => {
      const phase = handshaken ? 'during the login' : 'during the handshake';
      reject(openError(new Error(`the server closed the connection ${phase}`), hop.target));
    });
  });
  // The signal may end the wait before; nobody listens then.
  promise.catch(() => undefined);
  return {
    promise,
    verifyHostKey(key) {
      hostKeyError = hostKey.check(key);
      return hostKeyError === undefined;
    },
  };
}

/** Errors after which ssh2 goes on with the next key. */
function isOneKeyOnly(error: Error & { level?: string }): boolean {
  return error.level === 'agent' || /^Error (while )?signing/.test(error.message);
}

function forwardError(error: Error, hop: Hop): WherryError {
  const text = messageOf(error);
  const prohibited = /prohibited/i.test(text);
  return new WherryError('connection-failed', `the jump host cannot reach ${hop.target}: ${text}`, {
    transient: !prohibited,
    hint: prohibited
      ? 'the jump host forbids forwarding (AllowTcpForwarding): use another one, or "transport: openssh" with a command'
      : 'check host and port as the jump host sees them',
    cause: error,
  });
}
