import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sshd, SshdConnection } from '../test/rigs/sshd.js';
import { startProxy } from '../test/rigs/tcp-proxy.js';

/** A way to a server that takes time. */
export interface DelayedWay extends AsyncDisposable {
  /** Settings of the ssh transport. */
  readonly connection: SshdConnection;
}

/** Puts a proxy before the server that holds all bytes back, half of the round trip in each direction. */
export async function delayedWay(sshd: Sshd, roundTripMs: number): Promise<DelayedWay> {
  const proxy = await startProxy({ target: sshd.port, delayMs: roundTripMs / 2 });
  const known = await readFile(sshd.knownHostsFile, 'utf8');
  const knownHostsFile = join(sshd.directory, `known_hosts_${proxy.port}`);
  await writeFile(knownHostsFile, known.replaceAll(`:${sshd.port}`, `:${proxy.port}`));
  return {
    connection: { ...sshd.connection, port: proxy.port, knownHostsFile },
    [Symbol.asyncDispose]: () => proxy.stop(),
  };
}
