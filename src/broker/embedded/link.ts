import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, WherryError } from '../../errors.js';
import { Expectation, type Limits } from '../expectation.js';
import { errorOf } from '../failure.js';
import { takeLock } from '../lock.js';
import { socketAddress } from '../socket-address.js';
import { Connection } from './connection.js';
import { Hub, socketName } from './hub.js';
import { type FromHub, fromHub, protocolVersion, type ToHub } from './protocol.js';

/** A client's end of its connection with the hub. */
export type HubConnection = Connection<FromHub, ToHub>;

export interface LinkOptions {
  readonly directory: string;
  /** Of this communicator, whatever becomes of its connections. */
  readonly program: string;
  readonly prefersToBeHub: boolean;
  readonly heartbeat: number;
  readonly now: () => number;
  readonly onProblem: (error: unknown) => void;
  /** A message of the hub, after it has welcomed us. */
  hear(connection: HubConnection, message: FromHub, body: Buffer): void;
  /** A new connection: everything that the hub has to know is said to it. Until that is done it counts for nobody else. */
  introduce(connection: HubConnection): Promise<void>;
  /** The connection has broken. */
  lost(error: WherryError): void;
  /** The connection is there again. */
  regained(): void;
}

/** What a connection fails with when nobody listens: no file, or one that a dead hub left. */
const nobodyThere: ReadonlySet<string> = new Set(['ENOENT', 'ENOTDIR', 'ECONNREFUSED']);

/** Milliseconds between two attempts, the last for all that follow. */
const pauses = [5, 10, 20, 50, 100, 200, 500] as const;

/** Milliseconds that those who need not be the hub leave to those who prefer it when the hub has gone. */
const standBack = 40;

/** Milliseconds that a hub has to say welcome. */
const welcomeTime = 10_000;

/** Keeps a connection with the hub of a profile, and is the hub where there is none. */
export class Link {
  readonly #options: LinkOptions;
  readonly #end = new AbortController();
  readonly #arrivals = new Set<Expectation<HubConnection>>();
  #hub: Hub | undefined;
  /** As soon as there is one at all. */
  #socket: { cut(): void } | undefined;
  /** Once it is introduced. */
  #connection: HubConnection | undefined;
  #wasThere = false;
  #problem: WherryError | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
    void this.#keep();
  }

  get current(): HubConnection | undefined {
    return this.#connection;
  }

  /** Waits for a connection. Errors: `broker-unavailable` when none comes in time; `aborted`. */
  async arrival(limits: Limits): Promise<HubConnection> {
    const arrival = new Expectation<HubConnection>(limits, () => this.#unavailable());
    this.#arrivals.add(arrival);
    try {
      return await arrival.promise;
    } finally {
      this.#arrivals.delete(arrival);
    }
  }

  /** Ends at once, and with it the hub, if this program is it. */
  async close(error: WherryError): Promise<void> {
    this.#end.abort();
    const connection = this.#connection;
    this.#connection = undefined;
    for (const arrival of this.#arrivals) arrival.reject(error);
    this.#arrivals.clear();
    this.#hub?.close();
    await connection?.part({ type: 'bye' });
    this.#socket?.cut();
  }

  /** Connects again and again. */
  async #keep(): Promise<void> {
    for (let attempt = 0; !this.#end.signal.aborted; attempt++) {
      try {
        if (await this.#connectOnce()) attempt = -1;
      } catch (error) {
        this.#tellProblem(error);
      }
      const pause = pauses[Math.min(attempt, pauses.length - 1)];
      if (pause !== undefined) await this.#pause(pause);
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await delay(milliseconds, undefined, { signal: this.#end.signal }).catch(() => undefined);
  }

  /** @returns whether there was a connection, after it has ended */
  async #connectOnce(): Promise<boolean> {
    const socket = (await this.#reach()) ?? (await this.#reachAsHub());
    if (socket === undefined) return false;
    if (this.#end.signal.aborted) {
      socket.destroy();
      return false;
    }
    return this.#converse(socket);
  }

  /** @returns undefined when nobody listens */
  #reach(): Promise<Socket | undefined> {
    return new Promise((resolve, reject) => {
      const address = socketAddress(this.#options.directory, socketName);
      const socket = connect(address.path);
      this.#socket = { cut: () => socket.destroy() };
      let failure: NodeJS.ErrnoException | undefined;
      const fail = (error: NodeJS.ErrnoException) => {
        failure = error;
      };
      const end = () => {
        address[Symbol.dispose]();
        if (failure === undefined || nobodyThere.has(failure.code ?? '')) resolve(undefined);
        else reject(unreachable(`cannot connect to ${join(this.#options.directory, socketName)}`, failure));
      };
      socket.once('error', fail);
      socket.once('close', end);
      socket.once('connect', () => {
        address[Symbol.dispose]();
        socket.off('error', fail).off('close', end);
        resolve(socket);
      });
    });
  }

  /** @returns undefined when another program has the lock, which is about to listen or about to end */
  async #reachAsHub(): Promise<Socket | undefined> {
    const { directory, prefersToBeHub, heartbeat, now, onProblem } = this.#options;
    if (this.#wasThere && !prefersToBeHub) {
      await this.#pause(standBack);
      const socket = await this.#reach();
      if (socket !== undefined) return socket;
    }
    if (this.#end.signal.aborted) return undefined;
    // Our own socket is gone, by whatever hand.
    this.#hub?.close();
    const lock = takeLock(join(directory, 'broker.lock'), 'broker-unavailable');
    if (lock === undefined) {
      this.#problem = unreachable('another program has the lock and does not listen; it may run on another host');
      return undefined;
    }
    const hub = await Hub.start({ directory, lock, heartbeat, preferred: prefersToBeHub, now, onProblem });
    this.#hub = hub;
    if (this.#end.signal.aborted) hub.close();
    return this.#reach();
  }

  /** Speaks with the hub until the connection ends. @returns whether it welcomed us */
  #converse(socket: Socket): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let welcome = false;
      let refusal: WherryError | undefined;
      const impatience = setTimeout(() => {
        connection.cut(unreachable('the program that carries the messages does not answer'));
      }, welcomeTime);
      const connection: HubConnection = new Connection({
        socket,
        schema: fromHub,
        heartbeat: this.#options.heartbeat,
        hear: (message, body) => {
          if (message.type === 'refused') refusal = errorOf(message.failure);
          else if (message.type === 'welcome') {
            clearTimeout(impatience);
            welcome = true;
            void this.#introduce(connection);
          } else this.#options.hear(connection, message, body);
        },
        ended: (error) => {
          clearTimeout(impatience);
          this.#leave(connection, error);
          if (welcome) resolve(true);
          else if (refusal ?? error) reject(refusal ?? error);
          else resolve(false);
        },
      });
      this.#socket = connection;
      const { program, prefersToBeHub } = this.#options;
      connection.send({ type: 'hello', version: protocolVersion, program, prefersToBeHub });
    });
  }

  async #introduce(connection: HubConnection): Promise<void> {
    try {
      await this.#options.introduce(connection);
    } catch (error) {
      connection.cut(unreachable('the hub was not told everything', error));
      return;
    }
    if (connection.over || this.#end.signal.aborted) return;
    this.#connection = connection;
    this.#problem = undefined;
    for (const arrival of this.#arrivals) arrival.resolve(connection);
    this.#arrivals.clear();
    if (this.#wasThere) this.#options.regained();
    this.#wasThere = true;
  }

  #leave(connection: HubConnection, error: WherryError | undefined): void {
    if (this.#end.signal.aborted) return;
    if (this.#connection === connection) this.#connection = undefined;
    this.#options.lost(error ?? new WherryError('broker-lost', 'the connection to the hub ended', { transient: true }));
  }

  /** The same trouble, time and again, is told once. */
  #tellProblem(error: unknown): void {
    if (this.#end.signal.aborted) return;
    const problem = error instanceof WherryError ? error : unreachable(messageOf(error), error);
    if (this.#problem?.message !== problem.message) this.#options.onProblem(problem);
    this.#problem = problem;
    // What no waiting mends is told at once to those who wait.
    if (problem.transient) return;
    for (const arrival of this.#arrivals) arrival.reject(problem);
    this.#arrivals.clear();
  }

  #unavailable(): WherryError {
    const reason = this.#problem?.message ?? 'the program that carries the messages does not answer';
    return new WherryError('broker-unavailable', `the broker could not be reached in time: ${reason}`, {
      transient: true,
      hint: 'see which programs of this profile hang: wherry status',
      cause: this.#problem,
    });
  }
}

function unreachable(reason: string, cause?: unknown): WherryError {
  const message = cause === undefined ? reason : `${reason}: ${messageOf(cause)}`;
  return new WherryError('broker-unavailable', message, { transient: true, cause });
}
