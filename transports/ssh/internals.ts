import type { Channel, Client } from 'ssh2';

/** The parts of ssh2 1.17.0 that we need and that its interface does not show; `package.json` pins the version. */
interface ClientInternals {
  readonly _protocol?: { signal(channel: number, name: string): void };
  readonly _remoteVer?: string;
  readonly _sock?: { readonly closed?: boolean; destroy(): void };
}
interface ChannelInternals {
  readonly outgoing: { readonly id: number; readonly state: string };
}

/** Sends a signal to the processes of a channel. ssh2's own method does nothing once stdin has ended. */
export function signalChannel(client: Client, channel: Channel, name: 'TERM' | 'KILL'): void {
  const { outgoing } = channel as unknown as ChannelInternals;
  if (outgoing.state === 'open' || outgoing.state === 'eof') {
    (client as unknown as ClientInternals)._protocol?.signal(outgoing.id, name);
  }
}

/** Does the other side run OpenSSH, which takes packets of 256 KiB? */
export function isOpenSsh(client: Client): boolean {
  return (client as unknown as ClientInternals)._remoteVer?.startsWith('OpenSSH') ?? false;
}

/** Has the client's socket gone, so that no close event will come any more? */
export function isClosed(client: Client): boolean {
  const socket = (client as unknown as ClientInternals)._sock;
  return socket === undefined || socket.closed === true;
}

/** Drops the connection. ssh2's own method does nothing once our side has said good-bye. */
export function dropClient(client: Client): void {
  (client as unknown as ClientInternals)._sock?.destroy();
}
