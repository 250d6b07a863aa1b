import { randomUUID } from 'node:crypto';
import type { Channel, ConsumeMessage } from 'amqplib';
import { WherryError } from '../../errors.js';
import { encodeBody } from '../body.js';
import type { Address, Json, Method } from '../communicator.js';
import type { Limits } from '../expectation.js';
import { failureOf } from '../failure.js';
import { properties, readBody, readHeaders, typeOf } from './envelope.js';
import type { Link, Part } from './link.js';
import type { Publisher } from './publisher.js';
import type { Questions } from './questions.js';
import { alone, ownQueue, type Topology } from './topology.js';

type Methods = Readonly<Record<string, Method>>;

/** Milliseconds that somebody who has the same address is given to say so. */
const answerWithin = 2_000;

export interface ServiceTools {
  readonly topology: Topology;
  readonly questions: Questions;
  readonly publisher: Publisher;
  readonly limits: () => Limits;
  readonly report: (problem: unknown) => void;
}

/** Answers calls to the addresses of one communicator, all from one queue. */
export class Service implements Part {
  readonly #tools: ServiceTools;
  readonly #served = new Map<Address, Methods>();
  readonly #running = new Map<string, AbortController>();
  #queue = '';

  constructor(tools: ServiceTools) {
    this.#tools = tools;
  }

  async attach(link: Link): Promise<void> {
    const channel = await link.channel();
    this.#queue = `${this.#tools.topology.calls}.${randomUUID()}`;
    await channel.assertQueue(this.#queue, ownQueue);
    await channel.consume(this.#queue, (message) => message && this.#hear(message), { noAck: true });
    await Promise.all([...this.#served.keys()].map((address) => this.#bindAgain(channel, address)));
  }

  detach(error: WherryError): void {
    if (error.code !== 'communicator-closed') return;
    for (const running of this.#running.values()) running.abort();
  }

  has(address: Address): boolean {
    return this.#served.has(address);
  }

  /** Errors: `name-taken`. */
  async serve(link: Link, address: Address, methods: Methods, limits: Limits): Promise<void> {
    const { topology } = this.#tools;
    this.#served.set(address, methods);
    try {
      await alone(link, topology.lock(`address.${address}`), limits, async () => {
        if ((await this.#ownerOf(address)) !== 'nobody') throw takenError(address);
        await link.briefly((channel) => channel.bindQueue(this.#queue, topology.calls, address));
      });
    } catch (error) {
      this.#served.delete(address);
      throw error;
    }
  }

  async withdraw(link: Link, address: Address): Promise<void> {
    await link.briefly((channel) => channel.unbindQueue(this.#queue, this.#tools.topology.calls, address));
    this.#served.delete(address);
  }

  /** Without a word to the broker, when there is no connection. */
  forget(address: Address): void {
    this.#served.delete(address);
  }

  /** On another connection: the broker may not know yet that ours broke, so that the address looks taken by ourselves. */
  async #bindAgain(channel: Channel, address: Address): Promise<void> {
    if ((await this.#ownerOf(address)) === 'somebody') {
      this.#served.delete(address);
      this.#tools.report(takenError(address));
    } else await channel.bindQueue(this.#queue, this.#tools.topology.calls, address);
  }

  async #ownerOf(address: Address): Promise<'nobody' | 'somebody' | 'silent'> {
    const { questions, topology } = this.#tools;
    const probe = {
      exchange: topology.calls,
      key: address,
      body: encodeBody(null),
      properties: properties('probe', {}),
      early: true,
    };
    try {
      await questions.ask(probe, { until: performance.now() + answerWithin });
      return 'somebody';
    } catch (error) {
      const { code } = error as WherryError;
      if (code === 'unroutable') return 'nobody';
      if (code === 'timed-out') return 'silent';
      throw error;
    }
  }

  #hear(message: ConsumeMessage): void {
    try {
      const type = typeOf(message);
      if (type === 'cancel') this.#running.get(idOf(message))?.abort();
      else if (type === 'probe') this.#answer(message, encodeBody(null), false);
      else this.#run(message);
    } catch (error) {
      this.#tools.report(error);
      this.#answer(message, encodeBody(failureOf(error)), true);
    }
  }

  #run(message: ConsumeMessage): void {
    const { method: name, timeout } = readHeaders(message, 'call');
    const body = readBody(message);
    const address = message.fields.routingKey;
    const methods = this.#served.get(address as Address);
    if (methods === undefined) throw new WherryError('unroutable', `nobody answers to ${address} any more`);
    const method = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (method === undefined) {
      const refusal = new WherryError(
        'message-refused',
        `${address} has no method ${JSON.stringify(name.slice(0, 100))}`,
      );
      this.#answer(message, encodeBody(failureOf(refusal)), true);
      return;
    }
    const id = idOf(message);
    const running = new AbortController();
    const timer = setTimeout(() => running.abort(), Math.min(timeout, 2 ** 31 - 1));
    this.#running.set(id, running);
    const work = async () => method(body, { signal: running.signal });
    work()
      .then((answer: Json) => this.#answer(message, encodeBody(answer), false))
      .catch((error: unknown) => this.#answer(message, encodeBody(failureOf(error)), true))
      .finally(() => {
        clearTimeout(timer);
        this.#running.delete(id);
      });
  }

  #answer(message: ConsumeMessage, body: Buffer, failed: boolean): void {
    const { replyTo, correlationId } = message.properties;
    if (typeof replyTo !== 'string' || replyTo === '') return;
    const answer = {
      exchange: '',
      key: replyTo,
      body,
      properties: properties('answer', { failed }, { correlationId }),
    };
    // Whoever asked may have gone meanwhile; the broker then drops it.
    this.#tools.publisher.send({ ...answer, repeatable: true }, this.#tools.limits()).catch(() => undefined);
  }
}

function idOf(message: ConsumeMessage): string {
  return String(message.properties.correlationId);
}

export function takenError(address: string): WherryError {
  return new WherryError('name-taken', `somebody answers to ${address} already`);
}
