import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';

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
export function socketAddress(directory: string, name: string): SocketAddress {
  const path = join(directory, name);
  if (Buffer.byteLength(path) <= longestAddress) return { path, [Symbol.dispose]: () => undefined };
  const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  return { path: `/proc/self/fd/${descriptor}/${name}`, [Symbol.dispose]: () => closeSync(descriptor) };
}
