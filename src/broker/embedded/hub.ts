import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { messageOf, WherryError } from '../../errors.js';
import { type SocketAddress, socketAddress } from '../socket-address.js';
import { boundedFailure } from './bodies.js';
import { Connection } from './connection.js';
import { HubBroadcasts } from './hub-broadcasts.js';
import { HubCalls } from './hub-calls.js';
import type { HubClient } from './hub-client.js';
import { HubTasks } from './hub-tasks.js';
import { protocolVersion, type ToHub, toHub } from './protocol.js';

/** The socket in the directory of a profile. */
export const socketName = 'broker.sock';

export interface HubOptions {
  readonly directory: string;
  /** Released when the hub ends. Whoever has it may remove a socket that is there: a dead hub left it. */
  readonly lock: Disposable;
  /** Milliseconds between two pings. */
  readonly heartbeat: number;
  /** Does this program prefer to be the hub? Otherwise it hands over to one that does. */
  readonly preferred: boolean;
  readonly now: () => number;
  readonly onProblem: (error: unknown) => void;
}

/** Milliseconds that calls in progress have to be answered before another program becomes the hub. */
const handOverTime = 500;

/** The one program of a profile that the others are connected to: it carries their messages and keeps their tasks. */
export class Hub {
  readonly #options: HubOptions;
  readonly #clients = new Map<HubClient, { program: string | undefined }>();
  readonly #tasks: HubTasks;
  readonly #calls = new HubCalls();
  readonly #broadcasts = new HubBroadcasts();
  #server: Server | undefined;
  #address: SocketAddress | undefined;
  #handOver: NodeJS.Timeout | undefined;
  #closed = false;

  private constructor(options: HubOptions) {
    this.#options = options;
    this.#tasks = new HubTasks(join(options.directory, 'tasks.sqlite'), options.now, options.onProblem);
  }

  /** Errors: `broker-unavailable` when the socket cannot be made. */
  static async start(options: HubOptions): Promise<Hub> {
    const hub = new Hub(options);
    try {
      await hub.#listen();
      return hub;
    } catch (error) {
      hub.close();
      throw new WherryError('broker-unavailable', `cannot listen on ${hub.#path}: ${messageOf(error)}`, {
        hint: 'check that the folder is yours and has space left',
        cause: error,
      });
    }
  }

  get #path(): string {
    return join(this.#options.directory, socketName);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Ends at once. What has been answered is kept; the others find another hub. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#handOver);
    // The socket's file goes with the server, found through its address; the lock goes last.
    this.#server?.close();
    this.#address?.[Symbol.dispose]();
    this.#tasks.close();
    for (const client of this.#clients.keys()) client.finish();
    this.#options.lock[Symbol.dispose]();
  }

  async #listen(): Promise<void> {
    rmSync(this.#path, { force: true });
    const address = socketAddress(this.#options.directory, socketName);
    this.#address = address;
    const server = createServer((socket) => this.#greet(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(address.path, resolve);
    });
    server.on('error', this.#options.onProblem);
    chmodSync(this.#path, 0o600);
  }

  #greet(socket: Socket): void {
    const client: HubClient = new Connection({
      socket,
      schema: toHub,
      heartbeat: this.#options.heartbeat,
      hear: (message, body) => this.#hear(client, message, body),
      ended: (error) => this.#leave(client, error),
    });
    this.#clients.set(client, { program: undefined });
  }

  #leave(client: HubClient, error: WherryError | undefined): void {
    this.#clients.delete(client);
    this.#tasks.leave(client, { untouched: false });
    this.#calls.leave(client);
    this.#broadcasts.leave(client);
    if (error !== undefined && !this.#closed) this.#options.onProblem(error);
  }

  #hear(client: HubClient, message: ToHub, body: Buffer): void {
    if (message.type !== 'hello' && this.#clients.get(client)?.program === undefined) {
      throw new WherryError('message-refused', 'somebody speaks who has not said hello');
    }
    switch (message.type) {
      case 'hello':
        this.#welcome(client, message);
        break;
      case 'ping':
        break;
      case 'bye':
        this.#tasks.leave(client, { untouched: true });
        this.#leave(client, undefined);
        client.finish();
        break;
      case 'send-task':
        this.#tasks.send(client, message, body);
        break;
      case 'take':
        this.#tasks.take(client, message);
        break;
      case 'take-no-more':
        this.#tasks.takeNoMore(client, message);
        break;
      case 'begun':
        this.#tasks.begun(client, message);
        break;
      case 'accept':
        this.#tasks.accept(client, message, body);
        break;
      case 'refuse':
        this.#tasks.refuse(client, message);
        break;
      case 'park':
        this.#tasks.park(client, message);
        break;
      case 'give-back':
        this.#tasks.giveBack(client, message);
        break;
      case 'parked':
        this.#tasks.parked(client, message);
        break;
      case 'resend':
        this.#tasks.resend(client, message);
        break;
      case 'drop':
        this.#tasks.drop(client, message);
        break;
      case 'queue-status':
        this.#tasks.status(client, message);
        break;
      case 'call':
        this.#calls.call(client, message, body);
        break;
      case 'forget':
        this.#tasks.forget(client, message.id);
        this.#calls.forget(client, message.id);
        break;
      case 'serve':
        this.#calls.serve(client, message);
        break;
      case 'serve-no-more':
        this.#calls.serveNoMore(client, message);
        break;
      case 'answer':
        this.#calls.answer(client, message, body);
        break;
      case 'broadcast':
        this.#broadcasts.broadcast(client, message, body);
        break;
      case 'listen':
        this.#broadcasts.listen(client, message);
        break;
      case 'listen-no-more':
        this.#broadcasts.listenNoMore(client, message);
        break;
    }
  }

  #welcome(client: HubClient, { version, program, prefersToBeHub }: Extract<ToHub, { type: 'hello' }>): void {
    if (version !== protocolVersion) {
      const words = `the broker speaks version ${protocolVersion} of its protocol, not ${version}`;
      const hint = 'programs of two versions of Wherry use this profile: restart the older ones';
      client.send({ type: 'refused', failure: boundedFailure(new WherryError('broker-unavailable', words, { hint })) });
      client.finish();
      return;
    }
    // Its earlier connection is over, even where we have not heard of its end yet.
    for (const [other, { program: known }] of this.#clients) {
      if (known === program && other !== client) {
        this.#leave(other, undefined);
        other.cut();
      }
    }
    this.#clients.set(client, { program });
    // One that shall be the hub is not welcomed: it will find nobody, and take the lock.
    if (prefersToBeHub && !this.#options.preferred) this.#handOverSoon();
    else client.send({ type: 'welcome' });
  }

  /** Calls in progress may still be answered; then the program that prefers to be the hub takes the lock first. */
  #handOverSoon(until = performance.now() + handOverTime): void {
    clearTimeout(this.#handOver);
    if (this.#calls.pending === 0 || performance.now() > until) this.close();
    else this.#handOver = setTimeout(() => this.#handOverSoon(until), 20);
  }
}
