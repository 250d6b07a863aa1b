import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Communicator } from '../../../../src/broker/communicator.js';
import { type EmbeddedOptions, openEmbedded } from '../../../../src/broker/embedded/index.js';
import { takeLock } from '../../../../src/broker/lock.js';
import type { CommunicatorWorld } from '../../../conformance/communicator/world.js';

/** A directory of its own, which goes with the test. */
export function temporaryDirectory(): Disposable & { readonly path: string } {
  const directory = mkdtempSync(path.join(tmpdir(), 'wherry-broker-'));
  return { path: directory, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) };
}

/** A profile whose first communicator is the hub, to which all connect without anything between. */
export async function plainWorld(): Promise<CommunicatorWorld> {
  const directory = temporaryDirectory();
  const opened: Communicator[] = [];
  return {
    elsewhere: { module: 'broker/embedded/index.js', function: 'openEmbedded', options: { directory: directory.path } },
    async open(options) {
      const communicator = await openEmbedded({ directory: directory.path, ...options });
      opened.push(communicator);
      return communicator;
    },
    async [Symbol.asyncDispose]() {
      for (const communicator of opened.reverse()) await communicator[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

/**
 * A profile whose communicators reach the hub through sockets of this test, each in a directory of its own: such a
 * connection can be cut, or carry nothing more.
 */
export async function proxiedWorld(): Promise<CommunicatorWorld> {
  const directory = temporaryDirectory();
  const hub = await openEmbedded({ directory: directory.path, hub: 'prefer' });
  const opened = new Map<Communicator, Proxy>();
  let proxies = 0;
  return {
    elsewhere: { module: 'broker/embedded/index.js', function: 'openEmbedded', options: { directory: directory.path } },
    async open(options) {
      proxies += 1;
      const proxy = await startProxy(directory.path, path.join(directory.path, `proxy-${proxies}`));
      const communicator = await openEmbedded({ directory: proxy.directory, ...options } as EmbeddedOptions);
      opened.set(communicator, proxy);
      return communicator;
    },
    async cut(communicator) {
      opened.get(communicator)?.cut();
    },
    async stall(communicator) {
      opened.get(communicator)?.stall();
    },
    async [Symbol.asyncDispose]() {
      for (const communicator of opened.keys()) await communicator[Symbol.asyncDispose]();
      for (const proxy of opened.values()) proxy.close();
      await hub[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

interface Proxy {
  readonly directory: string;
  cut(): void;
  stall(): void;
  close(): void;
}

/** Listens in a directory as the hub would, and holds its lock, but carries everything to another and back. */
async function startProxy(target: string, directory: string): Promise<Proxy> {
  mkdirSync(directory, { mode: 0o700 });
  const lock = takeLock(path.join(directory, 'broker.lock'), 'broker-unavailable');
  const sockets = new Set<Socket>();
  let stalled = false;
  const server = createServer((near) => {
    const far = connect(path.join(target, 'broker.sock'));
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one);
      one.on('data', (chunk) => other.write(chunk));
      one.on('error', () => one.destroy());
      one.on('close', () => {
        other.end();
        sockets.delete(one);
      });
      if (stalled) one.pause();
    }
  });
  await new Promise<void>((resolve) => server.listen(path.join(directory, 'broker.sock'), resolve));
  chmodSync(path.join(directory, 'broker.sock'), 0o600);
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    directory,
    cut,
    stall() {
      stalled = true;
      for (const socket of sockets) socket.pause();
    },
    close() {
      cut();
      server.close();
      lock?.[Symbol.dispose]();
    },
  };
}
