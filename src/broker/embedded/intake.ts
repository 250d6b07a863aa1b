import { WherryError } from '../../errors.js';
import { decodeBody, encodeBody } from '../body.js';
import type { Json, Task, TaskIntake } from '../communicator.js';
import { abortedError, Expectation } from '../expectation.js';
import { boundedFailure, boundedText, noBody } from './bodies.js';
import type { HubConnection } from './link.js';
import type { FromHub, ToHub } from './protocol.js';

/** What an intake needs of its communicator. */
export interface IntakeOptions {
  readonly queue: string;
  /** Asks the hub over the connection that a task came by. Errors: `broker-lost` when that one is gone. */
  ask(connection: HubConnection, message: (id: number) => ToHub, body: Uint8Array): Promise<unknown>;
  /** Ends it at the hub. */
  end(): PromiseLike<void>;
}

/** The tasks of one queue on their way to one taker. */
export class Intake implements TaskIntake {
  readonly #options: IntakeOptions;
  /** Tasks that nobody has asked for yet. */
  readonly #there: GivenTask[] = [];
  readonly #waiting = new Set<Expectation<Task>>();
  #over: WherryError | undefined;
  /** The end that its owner made, which ends iterations in peace. */
  #disposed: WherryError | undefined;

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  hear(connection: HubConnection, message: Extract<FromHub, { type: 'task' }>, body: Buffer): void {
    const task = new GivenTask(this.#options, connection, message, body);
    for (const next of this.#waiting) {
      this.#waiting.delete(next);
      // One that was given up a moment ago may stand there still.
      if (next.settled) continue;
      next.resolve(task.begin());
      return;
    }
    this.#there.push(task);
  }

  /** The connection is gone, and the hub gives to others what nobody has asked for. */
  lost(): void {
    this.#there.length = 0;
  }

  async next({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Task> {
    if (this.#over !== undefined) throw this.#over;
    if (signal?.aborted) throw abortedError();
    const task = this.#there.shift();
    if (task !== undefined) return task.begin();
    const waiting = new Expectation<Task>({ signal }, abortedError);
    this.#waiting.add(waiting);
    try {
      return await waiting.promise;
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Task> {
    try {
      for (;;) yield await this.next();
    } catch (error) {
      if (error !== this.#disposed) throw error;
    }
  }

  /** No more tasks come, and whoever waits for one hears why. */
  close(error: WherryError): void {
    this.#over ??= error;
    this.#there.length = 0;
    for (const waiting of this.#waiting) waiting.reject(error);
    this.#waiting.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#over !== undefined) return;
    this.#disposed = new WherryError('communicator-closed', `no more tasks of ${this.#options.queue} are taken`);
    this.close(this.#disposed);
    await this.#options.end();
  }
}

/** A task in hand. What is said of it goes by the connection that it came by: on another it is not ours any more. */
class GivenTask implements Task {
  readonly id: string;
  readonly queue: string;
  readonly attempt: number;
  readonly sentAt: number;
  readonly awaited: boolean;
  readonly #ask: IntakeOptions['ask'];
  readonly #connection: HubConnection;
  readonly #delivery: number;
  readonly #bytes: Buffer;
  #dealtWith = false;

  constructor(
    { queue, ask }: IntakeOptions,
    connection: HubConnection,
    message: Extract<FromHub, { type: 'task' }>,
    body: Buffer,
  ) {
    this.id = message.task;
    this.queue = queue;
    this.attempt = message.attempt;
    this.sentAt = message.sentAt;
    this.awaited = message.awaited;
    this.#ask = ask;
    this.#connection = connection;
    this.#delivery = message.delivery;
    this.#bytes = body;
  }

  get body(): Json {
    return decodeBody(this.#bytes);
  }

  /** Somebody has it now. */
  begin(): this {
    this.#connection.send({ type: 'begun', delivery: this.#delivery });
    // If it kills this program, that was an attempt.
    this.#connection.flush();
    return this;
  }

  async accept(answer?: Json): Promise<void> {
    const body = encodeBody(answer);
    await this.#deal((id) => ({ type: 'accept', id, delivery: this.#delivery }), body);
  }

  async refuse(error: unknown): Promise<void> {
    const failure = boundedFailure(error);
    await this.#deal((id) => ({ type: 'refuse', id, delivery: this.#delivery, failure }));
  }

  async park(reason: string): Promise<void> {
    await this.#deal((id) => ({ type: 'park', id, delivery: this.#delivery, reason: boundedText(reason) }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#dealtWith) return;
    // Where it cannot be said, the task goes back by itself: its connection is gone or will be.
    await this.#deal((id) => ({ type: 'give-back', id, delivery: this.#delivery })).catch(() => undefined);
  }

  async #deal(message: (id: number) => ToHub, body: Uint8Array = noBody): Promise<void> {
    if (this.#dealtWith) throw new WherryError('internal', `the task ${this.id} has been dealt with already`);
    this.#dealtWith = true;
    try {
      await this.#ask(this.#connection, message, body);
    } catch (error) {
      // It is still in hand, unless it is not ours any more.
      this.#dealtWith = this.#connection.over;
      throw error;
    }
  }
}
