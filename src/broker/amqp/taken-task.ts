import { randomUUID } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';
import { WherryError } from '../../errors.js';
import { encodeBody } from '../body.js';
import type { Json, Task } from '../communicator.js';
import type { Limits } from '../expectation.js';
import { failureOf } from '../failure.js';
import type { Delivery } from './delivery.js';
import { properties } from './envelope.js';
import type { Publisher } from './publisher.js';
import type { Topology } from './topology.js';
import { closedError, lostError } from './troubles.js';

export interface TaskTools {
  readonly topology: Topology;
  readonly publisher: Publisher;
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly limits: () => Limits;
  readonly closed: () => boolean;
  readonly report: (problem: unknown) => void;
}

/** What a message says of its task. */
export interface ReadTask {
  readonly id: string;
  readonly queue: string;
  readonly body: Json;
  readonly attempt: number;
  readonly sentAt: number;
}

/** Characters of a reason: it stands in a header, and those have room for 64 KiB together. */
const longestReason = 2_000;

/** A task in somebody's hands. */
export class TakenTask implements Task {
  readonly id: string;
  readonly queue: string;
  readonly body: Json;
  readonly attempt: number;
  readonly sentAt: number;
  readonly awaited: boolean;
  readonly #delivery: Delivery;
  readonly #message: ConsumeMessage;
  readonly #tools: TaskTools;
  #dealtWith = false;

  constructor(delivery: Delivery, message: ConsumeMessage, read: ReadTask, tools: TaskTools) {
    this.id = read.id;
    this.queue = read.queue;
    this.body = read.body;
    this.attempt = read.attempt;
    this.sentAt = read.sentAt;
    this.awaited = replyTo(message) !== undefined;
    this.#delivery = delivery;
    this.#message = message;
    this.#tools = tools;
  }

  async accept(answer?: Json): Promise<void> {
    const body = encodeBody(answer);
    await this.#deal(() => this.#answer(body, false));
  }

  async refuse(error: unknown): Promise<void> {
    const body = encodeBody(failureOf(error));
    await this.#deal(() => this.#answer(body, true));
  }

  async park(reason: string): Promise<void> {
    await this.#deal(() => this.#park(reason));
  }

  /** Back to the end of the queue, as another attempt. What it cannot do the broker does when the connection ends. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#dealtWith || this.#delivery.link.ended) return;
    const { attempts } = this.#tools;
    const last = this.attempt >= attempts;
    const reason = `given up after ${this.attempt} ${this.attempt === 1 ? 'attempt' : 'attempts'}`;
    await this.#giveAway(() => (last ? this.#park(reason) : this.#again(this.attempt + 1)));
  }

  /** Nobody has had it: no attempt. */
  async handBack(): Promise<void> {
    await this.#giveAway(() => this.#again(this.attempt));
  }

  /** Puts aside what no taker can read. */
  static parkUnreadable(
    delivery: Delivery,
    message: ConsumeMessage,
    queue: string,
    error: WherryError,
    tools: TaskTools,
  ) {
    const body = message.content.toString('utf8');
    const id = String(message.properties.messageId ?? randomUUID());
    const task = new TakenTask(delivery, message, { id, queue, body, attempt: 0, sentAt: tools.now() }, tools);
    void task.#giveAway(() => task.#park(`it cannot be read: ${error.message}`, encodeBody(body)));
  }

  async #giveAway(send: () => Promise<unknown>): Promise<void> {
    try {
      await this.#deal(send);
    } catch (error) {
      if (this.#delivery.link.ended) return;
      this.#tools.report(error);
      this.#dealtWith = true;
      this.#withChannel(() => this.#delivery.channel.nack(this.#message, false, true));
      this.#delivery.settle();
    }
  }

  /** Says first what is to be said and takes it from the queue when that is safe. */
  async #deal(say: () => Promise<unknown>): Promise<void> {
    if (this.#tools.closed()) throw closedError();
    if (this.#delivery.link.ended) throw lostError();
    if (this.#dealtWith) throw new WherryError('internal', 'a task was dealt with twice');
    this.#dealtWith = true;
    try {
      await say();
      if (this.#delivery.link.ended) throw this.#tools.closed() ? closedError() : lostError();
      this.#withChannel(() => this.#delivery.channel.ack(this.#message));
    } catch (error) {
      this.#dealtWith = false;
      throw error;
    }
    this.#delivery.settle();
  }

  #withChannel(work: () => void): void {
    try {
      work();
    } catch (error) {
      throw this.#tools.closed() ? closedError() : lostError(error);
    }
  }

  async #answer(body: Buffer, failed: boolean): Promise<void> {
    const key = replyTo(this.#message);
    if (key === undefined) return;
    const { correlationId } = this.#message.properties;
    const answer = properties('answer', { failed }, { correlationId });
    await this.#send('', key, body, answer);
  }

  async #again(attempt: number): Promise<void> {
    const { topology } = this.#tools;
    const again = properties('task', { attempt, sentAt: this.sentAt }, this.#identity());
    if (await this.#send(topology.tasks, this.queue, this.#message.content, again)) return;
    throw new WherryError('broker-unavailable', `the queue of ${this.queue} is gone`, { transient: true });
  }

  async #park(reason: string, body = this.#message.content): Promise<void> {
    const { topology, now } = this.#tools;
    const parked = {
      sentAt: this.sentAt,
      parkedAt: now(),
      attempts: this.attempt,
      reason: reason.slice(0, longestReason),
    };
    const key = topology.parkedQueue(this.queue);
    if (await this.#send('', key, body, properties('parked', parked, this.#identity()))) return;
    throw new WherryError('broker-unavailable', `the queue of parked ${this.queue} is gone`, { transient: true });
  }

  /** What the next message of the same task has in common with this one. */
  #identity() {
    const { correlationId } = this.#message.properties;
    const key = replyTo(this.#message);
    return { messageId: this.id, ...(correlationId && { correlationId }), ...(key && { replyTo: key }) };
  }

  #send(exchange: string, key: string, body: Buffer, message: ReturnType<typeof properties>): Promise<boolean> {
    const { publisher, limits } = this.#tools;
    // On another connection the task comes again by itself: nothing is to be repeated there.
    return publisher.send({ exchange, key, body, properties: message, repeatable: false }, limits());
  }
}

function replyTo(message: ConsumeMessage): string | undefined {
  const key: unknown = message.properties.replyTo;
  return typeof key === 'string' && key !== '' ? key : undefined;
}
