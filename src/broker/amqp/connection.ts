import { setTimeout as delay } from 'node:timers/promises';
import { type ChannelModel, connect, type RecoveringChannelModel } from 'amqplib';
import { messageOf, type WherryError } from '../../errors.js';
import { Expectation, type Limits } from '../expectation.js';
import { Link, type Part } from './link.js';
import { SocketEnd } from './socket-end.js';
import {
  checkServer,
  closedError,
  connectionTrouble,
  lostError,
  operationTrouble,
  unavailableError,
} from './troubles.js';
import type { BrokerAddress } from './url.js';

export interface ConnectionOptions {
  readonly address: BrokerAddress;
  /** Seconds. */
  readonly heartbeat: number;
  /** Milliseconds for one attempt to connect, and for whatever has no patience of its own. */
  readonly patience: number;
  readonly waitForBroker: boolean;
  readonly onProblem: (error: unknown) => void;
}

/** Milliseconds that an orderly end may take; a broker that hangs does not keep us longer. */
const longestGoodbye = 500;

/** The connection to a broker, which comes again by itself whenever it breaks. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #parts: readonly Part[];
  readonly #recovering: RecoveringChannelModel;
  /** Destroys the socket, whatever state it is in. */
  readonly #socketEnd: SocketEnd;
  readonly #uses = new Set<Expectation<unknown>>();
  readonly #waiting = new Set<(link: Link) => void>();
  readonly #reconnectionListeners = new Set<() => void>();
  #latest: Link | undefined;
  #link: Link | undefined;
  #connectedBefore = false;
  #lastProblem = '';
  #closing: Promise<void> | undefined;

  private constructor(
    options: ConnectionOptions,
    parts: readonly Part[],
    recovering: RecoveringChannelModel,
    end: SocketEnd,
  ) {
    this.#options = options;
    this.#parts = parts;
    this.#recovering = recovering;
    this.#socketEnd = end;
  }

  /** Errors: `broker-unavailable` with the reason, unless it waits for the broker. */
  static async open(options: ConnectionOptions, parts: readonly Part[]): Promise<Connection> {
    const { address, heartbeat, patience, waitForBroker } = options;
    const socketEnd = new SocketEnd();
    const recovering: RecoveringChannelModel = await connect(
      { ...address.connect, heartbeat },
      {
        ...address.tls,
        noDelay: true,
        timeout: patience,
        clientProperties: { product: 'wherry', connection_name: `wherry, process ${process.pid}` },
        recovery: {
          initialDelay: 100,
          maxDelay: 10_000,
          initialMaxRetries: waitForBroker ? Number.POSITIVE_INFINITY : 0,
          waitForConnect: false,
          setup: (model: ChannelModel): Promise<void> => connection.#setUp(model),
        },
        // Node's sockets take a signal, though amqplib does not say so.
        ...({ signal: socketEnd.signal } as object),
      },
    );
    const connection: Connection = new Connection(options, parts, recovering, socketEnd);
    connection.#watch();
    if (!waitForBroker) await connection.#connectOnce();
    return connection;
  }

  get connected(): boolean {
    return this.#link !== undefined;
  }

  get closed(): boolean {
    return this.#closing !== undefined;
  }

  /** When something without patience of its own is given up. */
  limits(signal?: AbortSignal): Limits {
    return { until: performance.now() + this.#options.patience, signal };
  }

  /**
   * Does something on the connection, as soon as there is one.
   * @param undo what was done after whoever wanted it has given up
   */
  async use<T>(
    limits: Limits,
    work: (link: Link) => Promise<T>,
    undo: (result: T, link: Link) => Promise<void> = async () => undefined,
  ): Promise<T> {
    if (this.closed) throw closedError();
    const use = new Expectation<T>(limits, unavailableError);
    this.#uses.add(use as Expectation<unknown>);
    const begin = (link: Link) => {
      if (use.settled) return;
      work(link).then(
        (result) => {
          if (!use.settled) use.resolve(result);
          else if (!link.ended) undo(result, link).catch((error: unknown) => this.report(error));
        },
        (error) => use.reject(link.ended && !this.closed ? lostError(error) : error),
      );
    };
    if (this.#link === undefined) this.#waiting.add(begin);
    else begin(this.#link);
    try {
      return await use.promise;
    } finally {
      this.#uses.delete(use as Expectation<unknown>);
      this.#waiting.delete(begin);
    }
  }

  onReconnected(listener: () => void): Disposable {
    const entry = () => listener();
    this.#reconnectionListeners.add(entry);
    return { [Symbol.dispose]: () => void this.#reconnectionListeners.delete(entry) };
  }

  /** Tells whoever may want to know; what they throw is their own affair. */
  report(problem: unknown): void {
    try {
      this.#options.onProblem(problem);
    } catch {
      // There is nobody left to tell.
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const link = this.#link;
    this.#link = undefined;
    for (const use of this.#uses) use.reject(closedError());
    const goodbye = async () => {
      await Promise.all(this.#parts.map((part) => part.farewell?.()));
      // What the end of waiting made others say gets out before the channels end.
      await new Promise((resolve) => setImmediate(resolve));
      await link?.goodbye();
      await this.#recovering.close();
    };
    const patience = new AbortController();
    const orderly = link === undefined ? Promise.resolve() : goodbye().catch(() => undefined);
    await Promise.race([orderly, delay(longestGoodbye, undefined, { signal: patience.signal }).catch(() => undefined)]);
    patience.abort();
    this.#recovering.close().catch(() => undefined);
    this.#socketEnd.destroy();
    this.#latest?.end();
    for (const part of this.#parts) part.detach(closedError());
  }

  async #connectOnce(): Promise<void> {
    const { patience } = this.#options;
    const first = new Expectation<void>({ until: performance.now() + patience }, () =>
      connectionTrouble(new Error('connect ETIMEDOUT'), this.#options.address.shown),
    );
    this.#recovering.waitForConnect().then(
      () => first.resolve(),
      (error) => first.reject(connectionTrouble(error, this.#options.address.shown)),
    );
    try {
      await first.promise;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Everything that the parts need is made before anybody hears of the connection. */
  async #setUp(model: ChannelModel): Promise<void> {
    const link = new Link(model);
    this.#latest = link;
    model.on('error', () => undefined);
    model.on('handler-error', (error) => this.report(error));
    model.on('close', (error) => this.#lose(link, lostError(error)));
    checkServer(model.connection.serverProperties, this.#options.address.shown);
    try {
      for (const part of this.#parts) await part.attach(link);
    } catch (error) {
      const trouble = link.ended ? lostError(error) : operationTrouble(error);
      this.#lose(link, trouble);
      throw trouble;
    }
  }

  #watch(): void {
    const recovering = this.#recovering;
    recovering.on('error', () => undefined);
    recovering.on('handler-error', (error) => this.report(error));
    recovering.on('connect', (model) => this.#connected(model));
    recovering.on('connect-failed', (error) => this.#failed(error));
  }

  #connected(model: ChannelModel): void {
    const link = this.#latest;
    if (link === undefined || this.closed) return;
    if (link.ended) {
      // It broke before amqplib listened to it, and would stay dead for ever.
      model.emit('close', new Error('the connection broke while it was set up'));
      return;
    }
    this.#link = link;
    this.#lastProblem = '';
    for (const part of this.#parts) part.begin?.();
    for (const begin of [...this.#waiting]) begin(link);
    this.#waiting.clear();
    const again = this.#connectedBefore || this.#options.waitForBroker;
    this.#connectedBefore = true;
    if (again) for (const listener of [...this.#reconnectionListeners]) this.#tell(listener);
  }

  #tell(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.report(error);
    }
  }

  /** An attempt to connect failed: told once, however often it is tried. */
  #failed(error: unknown): void {
    if (this.closed || (!this.#connectedBefore && !this.#options.waitForBroker)) return;
    const trouble = connectionTrouble(error, this.#options.address.shown);
    if (messageOf(trouble) === this.#lastProblem) return;
    this.#lastProblem = messageOf(trouble);
    this.report(trouble);
  }

  #lose(link: Link, error: WherryError): void {
    if (link.ended) return;
    link.end();
    const wasConnected = this.#link === link;
    this.#link = undefined;
    for (const part of this.#parts) part.detach(this.closed ? closedError() : error);
    if (wasConnected) this.report(error);
  }
}
