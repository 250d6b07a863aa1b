import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import type { ProfileLocation } from '../config/home.js';

/** Where the daemon of a profile keeps its things. */
export interface DaemonPlaces {
  readonly lockFile: string;
  readonly holderFile: string;
  readonly socketFile: string;
  readonly logFile: string;
}

/** Finds the daemon's files of a profile. Touches none. */
export function daemonPlaces({ directory }: Pick<ProfileLocation, 'directory'>): DaemonPlaces {
  return {
    lockFile: join(directory, 'daemon.lock'),
    holderFile: join(directory, 'daemon.holder'),
    socketFile: join(directory, 'daemon.sock'),
    logFile: join(directory, 'daemon.log'),
  };
}

/** Bytes that the address of a Unix socket holds everywhere, without the closing NUL. */
const longestAddress = 103;

/** A name by which a socket can be bound or reached, as long as it is not disposed of. */
export interface SocketAddress extends Disposable {
  readonly path: string;
}

/**
 * The address of a socket in a directory of any depth. A path that is too long for an address is reached through the
 * open directory, so that the socket stays among the files of its profile, out of reach of other users.
 */
export function socketAddress(directory: string, name = 'daemon.sock'): SocketAddress {
  const path = join(directory, name);
  if (Buffer.byteLength(path) <= longestAddress) return { path, [Symbol.dispose]: () => undefined };
  const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${descriptor}/${name}`, [Symbol.dispose]: () => closeSync(descriptor) };
}
