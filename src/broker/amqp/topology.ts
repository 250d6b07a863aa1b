import { setTimeout as delay } from 'node:timers/promises';
import type { Channel } from 'amqplib';
import { WherryError } from '../../errors.js';
import type { Limits } from '../expectation.js';
import type { Link } from './link.js';

/**
 * The names of everything that a profile has at the broker, all under its prefix, so that a user's rights and an
 * operator's policies can be given by it:
 *
 *   <prefix>.tasks             exchange, direct, durable; a task's key is the name of its queue
 *   <prefix>.tasks.<queue>     queue, durable
 *   <prefix>.parked.<queue>    queue, durable
 *   <prefix>.calls             exchange, direct, durable; a call's key is the address
 *   <prefix>.broadcasts        exchange, topic, durable; the key is <sender kind>.<sender identifier>.<subject>
 *   <prefix>.calls.<uuid>, <prefix>.broadcasts.<uuid>   queues of one communicator: exclusive, deleted with it
 *   <prefix>.lock.<name>       queues that exist for moments, to do one thing at a time
 *
 * Nothing has arguments: they could never be changed.
 */
export class Topology {
  readonly #prefix: string;
  readonly tasks: string;
  readonly calls: string;
  readonly broadcasts: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.tasks = `${prefix}.tasks`;
    this.calls = `${prefix}.calls`;
    this.broadcasts = `${prefix}.broadcasts`;
  }

  taskQueue(queue: string): string {
    return `${this.tasks}.${queue}`;
  }

  parkedQueue(queue: string): string {
    return `${this.#prefix}.parked.${queue}`;
  }

  lock(name: string): string {
    return `${this.#prefix}.lock.${name}`;
  }

  async makeExchanges(channel: Channel): Promise<void> {
    await channel.assertExchange(this.tasks, 'direct', { durable: true });
    await channel.assertExchange(this.calls, 'direct', { durable: true });
    await channel.assertExchange(this.broadcasts, 'topic', { durable: true });
  }

  /** A queue for tasks and the one for those of them that are parked. */
  async makeTaskQueues(channel: Channel, queue: string): Promise<void> {
    await channel.assertQueue(this.taskQueue(queue), { durable: true });
    await channel.assertQueue(this.parkedQueue(queue), { durable: true });
    await channel.bindQueue(this.taskQueue(queue), this.tasks, queue);
  }
}

/** The properties of a queue that belongs to one communicator. */
export const ownQueue = { exclusive: true, autoDelete: true, durable: false } as const;

/** The code with which RabbitMQ refuses a queue that is exclusive to another connection. */
const locked = 405;

/**
 * Does something that only one program at a time may do. The lock is a queue that is exclusive to our connection, so
 * that it goes when we die.
 */
export async function alone<T>(link: Link, lock: string, limits: Limits, work: () => Promise<T>): Promise<T> {
  while (!(await take(link, lock))) {
    if (limits.signal?.aborted || performance.now() > (limits.until ?? Number.POSITIVE_INFINITY)) {
      throw new WherryError('broker-unavailable', 'another program does the same for too long', { transient: true });
    }
    // Others wait as well: not all of them shall ask again at the same moment.
    await delay(5 + Math.random() * 20);
  }
  try {
    return await work();
  } finally {
    link.known.delete(lock);
    if (!link.ended) await link.briefly((channel) => channel.deleteQueue(lock));
  }
}

async function take(link: Link, lock: string): Promise<boolean> {
  // The lock does not keep out our own connection.
  if (link.known.has(lock)) return false;
  link.known.add(lock);
  try {
    await link.briefly((channel) => channel.assertQueue(lock, ownQueue));
    return true;
  } catch (error) {
    link.known.delete(lock);
    const { cause } = error as { cause?: { code?: unknown } };
    if (cause?.code === locked) return false;
    throw error;
  }
}
