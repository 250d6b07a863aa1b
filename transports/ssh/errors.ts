import { messageOf, WherryError } from '../../src/plugin.js';

/** What ssh2 puts on its errors beside the message. */
interface Ssh2Error extends Error {
  readonly level?: string;
  readonly code?: string | number;
}

/** An error of ssh2 or of the socket while a connection to `target` is being made. */
export function openError(thrown: unknown, target: string): WherryError {
  if (thrown instanceof WherryError) return thrown;
  const error = thrown as Ssh2Error;
  const message = printable(messageOf(thrown));
  const failed = (text: string, transient: boolean, hint: string) =>
    new WherryError('connection-failed', `${target} could not be reached: ${text}`, { transient, hint, cause: thrown });
  switch (error.code) {
    case 'ENOTFOUND':
      return failed('this host name does not exist', true, 'check the host name, or the network of this machine');
    case 'EAI_AGAIN':
      return failed('the name server did not answer', true, 'check the network of this machine');
    case 'ECONNREFUSED':
      return failed('connection refused', true, 'check host and port, and that the ssh server runs');
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return failed('the host does not answer', true, 'check host and port, network, VPN and firewall');
  }
  if (error.level === 'client-timeout') return failed('the server did not answer in time', true, 'try again later');
  if (/Connection lost before handshake|Invalid identification|Bad packet length/i.test(message)) {
    return failed(
      `the server closed the connection or is no ssh server (${message})`,
      true,
      'check host and port; the site may also refuse this address for a while after too many logins',
    );
  }
  if (error.level === 'handshake') {
    const hint = /no matching/i.test(message)
      ? 'the server allows only algorithms that this transport does not have: use "transport: openssh"'
      : 'look at the server with "ssh -v", or use "transport: openssh"';
    return failed(`no common ground with the server: ${message}`, !/no matching/i.test(message), hint);
  }
  return failed(message, true, 'try the same with "ssh -v"');
}

/** The error of everything that was under way when the connection to `target` broke, or was closed by us. */
export function lostError(target: string, cause?: unknown): WherryError {
  const level = (cause as Ssh2Error | undefined)?.level;
  const why =
    level === 'client-timeout'
      ? 'the computer answered no more'
      : cause === undefined
        ? 'it was closed by the other side'
        : printable(messageOf(cause));
  return new WherryError('connection-lost', `the connection to ${target} broke: ${why}`, {
    transient: true,
    hint: 'nothing needs to be done, the connection is made anew',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The error of using a connection after its `close()`. */
export function closedError(target: string): WherryError {
  return new WherryError('connection-lost', `the connection to ${target} is closed`, { transient: true });
}

/** Nobody agreed to the login. `tried` and `notes` are sentences for people. */
export function authenticationRefused(
  target: string,
  facts: {
    readonly tried: readonly string[];
    readonly notes: readonly string[];
    readonly accepted: readonly string[];
    readonly hadCertificate?: boolean;
  },
): WherryError {
  const lines = [
    `${target} refused the login`,
    facts.tried.length > 0 ? `tried: ${facts.tried.join(', ')}` : 'there was nothing to log in with',
    ...facts.notes,
    ...(facts.accepted.length > 0 ? [`the server accepts: ${facts.accepted.join(', ')}`] : []),
  ];
  const needsPerson = facts.accepted.length > 0 && !facts.accepted.includes('publickey');
  return new WherryError('authentication-refused', printable(lines.join('; ')), {
    hint: facts.hadCertificate
      ? 'for logins with a certificate use "transport: openssh"'
      : needsPerson
        ? 'this server wants a password, a one-time code or Kerberos: use "transport: openssh" and log in once by hand'
        : 'check user and identityFile, and that the public key is in ~/.ssh/authorized_keys on the computer',
  });
}

/** Too many sessions on this connection for now. */
export function backPressure(target: string, cause: unknown): WherryError {
  return new WherryError('back-pressure', `${target} allows no further session on this connection`, {
    transient: true,
    hint: "lower the computer's maxChannels (the server's MaxSessions is smaller)",
    cause,
  });
}

/** Did the server refuse one more channel (and may agree later)? */
export function isChannelRefusal(thrown: unknown): boolean {
  return /Channel open failure/i.test(messageOf(thrown));
}

/** An operation on `target` that took longer than it may. */
export function timedOut(what: string, milliseconds: number): WherryError {
  return new WherryError('timed-out', `${what} took longer than ${milliseconds / 1000} s`, {
    transient: true,
    hint: 'the computer or the network is slow or hangs; a longer timeout may help',
  });
}

/** An operation that was stopped by its signal. */
export function aborted(what: string, reason: unknown): WherryError {
  return new WherryError('aborted', `${what} was stopped on request`, { cause: reason });
}

/** Text of the other side, without what could steer a terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '?').trim();
}
