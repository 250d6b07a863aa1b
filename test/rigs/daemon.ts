import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface DaemonOptions {
  readonly environment?: Readonly<Record<string, string>>;
  /** File that takes stdout and stderr. */
  readonly log: string;
}

/** A server program that runs in the foreground as our child. */
export interface Daemon {
  readonly pid: number;
  readonly running: boolean;
  signal(name: NodeJS.Signals): void;
  /** Asks by SIGTERM, then by SIGKILL when `patience` (milliseconds) is over. Returns when the process is reaped. */
  stop(patience?: number): Promise<void>;
  /** The end of its log, for messages. */
  lastWords(): string;
}

/** Starts a program in the foreground. It ends with us at the latest: the last thing a test process does is to kill it. */
export async function startDaemon(words: readonly string[], options: DaemonOptions): Promise<Daemon> {
  const [program, ...rest] = words;
  if (program === undefined) throw new Error('no program was named');
  const log = openSync(options.log, 'a');
  const child = spawn(program, rest, {
    env: { ...process.env, LC_ALL: 'C', ...options.environment },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  await once(child, 'spawn');
  return daemonOf(child, options.log);
}

function daemonOf(child: ChildProcess, log: string): Daemon {
  const running = () => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid ?? 0,
    get running() {
      return running();
    },
    signal: (name) => void child.kill(name),
    async stop(patience = 5_000) {
      if (!running()) return;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      child.kill('SIGCONT');
      const timer = setTimeout(() => child.kill('SIGKILL'), patience);
      await ended;
      clearTimeout(timer);
    },
    lastWords: () => readFileSync(log, 'utf8').slice(-2_000),
  };
}

/** Asks again and again, 20 ms apart, until the answer is yes. Fails with `what` after `timeout` milliseconds. */
export async function waitUntil(
  what: string,
  check: () => boolean | Promise<boolean>,
  timeout = 30_000,
): Promise<void> {
  const deadline = performance.now() + timeout;
  while (!(await check())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeout} ms in vain for ${what}`);
    await delay(20);
  }
}

/** Does something listen on this port of the loopback? */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Ports of the loopback that nobody uses right now. */
export async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  for (let i = 0; i < count; i++) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
  }
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    return address.port;
  });
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
