import { setMaxListeners } from 'node:events';
import type { Client } from 'ssh2';
import { type Connection, type Exec, messageOf, type OpenOptions, WherryError } from '../../src/plugin.js';
import type { Session } from './channels.js';
import { closedError, lostError } from './errors.js';
import { execOver } from './exec.js';
import { filesOver, offersSftp } from './files.js';
import { connectHop, forwardTo } from './hop.js';
import { dropClient, isClosed } from './internals.js';
import { type Hop, routeTo } from './route.js';
import { bounded, unlessAborted } from './scope.js';
import type { SshSettings } from './settings.js';

/** Milliseconds that a peer has to answer our good-bye. */
const farewell = 500;

/** Opens a connection to the computer, through all its jump hosts. */
export async function openConnection(settings: SshSettings, options: OpenOptions): Promise<Connection> {
  const what = `connecting to ${settings.host}`;
  return await bounded({ what, timeout: options.timeout, signal: options.signal }, async (scope) => {
    const hops = await routeTo(settings, scope.signal);
    const clients = await connectAll(hops, settings.keepAliveInterval ?? 15, scope.signal);
    const line = new Line(clients, hops.at(-1)?.target ?? settings.host);
    try {
      const session = line.session(settings.loginShell ?? false);
      const exec = execOver(session);
      const [login, hasSftp] = await unlessAborted(
        scope.signal,
        Promise.all([whoAmI(exec, options, scope.signal), offersSftp(session, scope.signal)]),
      );
      const files = filesOver(session, exec, hasSftp);
      const close = () => line.close();
      return { ...files, ...login, exec, lost: line.lost, close, [Symbol.asyncDispose]: close };
    } catch (error) {
      await line.close();
      throw error;
    }
  });
}

async function connectAll(hops: readonly Hop[], keepAlive: number, signal: AbortSignal): Promise<Client[]> {
  const clients: Client[] = [];
  try {
    for (const hop of hops) {
      const before = clients.at(-1);
      const through = before === undefined ? undefined : await forwardTo(before, hop, signal);
      clients.push(await connectHop(hop, through, keepAlive, signal));
    }
    return clients;
  } catch (error) {
    for (const client of clients) dropClient(client);
    throw error;
  }
}

/** The chain of clients from the first jump host to the computer. When one breaks, all are given up. */
class Line {
  readonly #clients: readonly Client[];
  readonly #target: string;
  readonly #lost = new AbortController();
  #closing: Promise<void> | undefined;

  constructor(clients: readonly Client[], target: string) {
    this.#clients = clients;
    this.#target = target;
    // Every operation under way listens.
    setMaxListeners(0, this.#lost.signal);
    for (const client of clients) {
      let cause: Error | undefined;
      client.on('error', (error: Error) => {
        cause ??= error;
        this.#break(cause);
      });
      client.on('end', () => this.#break(cause));
      client.on('close', () => this.#break(cause));
    }
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  session(loginShell: boolean): Session {
    const client = this.#clients.at(-1);
    if (client === undefined) throw new WherryError('internal', 'a line without any client');
    return { client, target: this.#target, lost: this.lost, loginShell };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #break(cause: Error | undefined): void {
    if (this.lost.aborted) return;
    this.#lost.abort(lostError(this.#target, cause));
    for (const client of this.#clients) dropClient(client);
  }

  async #close(): Promise<void> {
    const first = this.#clients[0];
    const alive = !this.lost.aborted;
    if (alive) this.#lost.abort(closedError(this.#target));
    const gone = new Promise<void>((resolve) => {
      // Only the first one owns a socket of this machine.
      if (first === undefined || isClosed(first)) resolve();
      else first.once('close', () => resolve());
    });
    if (alive) {
      for (const client of [...this.#clients].reverse()) client.end();
      await Promise.race([gone, elapsed(farewell, gone)]);
    }
    for (const client of this.#clients) dropClient(client);
    await Promise.race([gone, elapsed(farewell, gone)]);
  }
}

/** Ends after some milliseconds, or when `over` does: no timer is left behind. */
function elapsed(milliseconds: number, over: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    void over.then(() => clearTimeout(timer));
  });
}

async function whoAmI(exec: Exec, options: OpenOptions, signal: AbortSignal): Promise<{ user: string; home: string }> {
  let result: Awaited<ReturnType<Exec>>;
  try {
    // The name may need a directory service, so that the shell's own variable is only the second choice.
    result = await exec('id -un 2>/dev/null || echo "$LOGNAME"\necho "$HOME"', { timeout: options.timeout, signal });
  } catch (error) {
    if (!(error instanceof WherryError) || error.code !== 'command-failed') throw error;
    throw new WherryError('connection-failed', messageOf(error), {
      // A crowded login node cannot start another process now; a missing shell stays missing.
      transient: /temporarily unavailable|cannot fork/i.test(error.message),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      cause: error,
    });
  }
  const [user, home] = result.stdout.split('\n');
  if (result.exitCode !== 0 || !user || !home?.startsWith('/')) {
    throw new WherryError('connection-failed', 'the computer does not tell user and home directory', {
      hint: `look at the account there; it said: ${result.stdout.slice(0, 200)} ${result.stderr.slice(0, 200)}`,
    });
  }
  return { user, home };
}
