import { randomUUID } from 'node:crypto';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { WherryError } from '../../errors.js';
import type { Address, Broadcast, BroadcastFilter } from '../communicator.js';
import { matches } from '../names.js';
import { readBody, readHeaders } from './envelope.js';
import type { Link, Part } from './link.js';
import { ownQueue, type Topology } from './topology.js';

export interface Ear {
  readonly filters: readonly BroadcastFilter[];
  readonly listener: (broadcast: Broadcast) => void;
}

/** Stands in a routing key for a sender that there is not. */
const nobody = '-.-';

/** The key under which a broadcast is sent: the sender's two words, then those of the subject. */
export function broadcastKey(subject: string, sender: Address | undefined): string {
  return `${sender ?? nobody}.${subject}`;
}

/** The pattern of keys that a filter stands for; `matches` decides in the end. */
export function bindingKey({ subject = '#', sender = '*.*' }: BroadcastFilter): string {
  return `${sender}.${subject}`;
}

/** Hears broadcasts for all listeners of one communicator, from one queue with a binding for each different filter. */
export class Broadcasts implements Part {
  readonly #topology: Topology;
  readonly #report: (problem: unknown) => void;
  readonly #ears = new Set<Ear>();
  #queue = '';
  #turn: Promise<void> = Promise.resolve();

  constructor(topology: Topology, report: (problem: unknown) => void) {
    this.#topology = topology;
    this.#report = report;
  }

  async attach(link: Link): Promise<void> {
    const channel = await link.channel();
    this.#queue = `${this.#topology.broadcasts}.${randomUUID()}`;
    await channel.assertQueue(this.#queue, ownQueue);
    const keys = new Set([...this.#ears].flatMap((ear) => keysOf(ear)));
    await Promise.all([...keys].map((key) => channel.bindQueue(this.#queue, this.#topology.broadcasts, key)));
    await channel.consume(this.#queue, (message) => message && this.#hear(message), { noAck: true });
  }

  detach(_error: WherryError): void {
    // The listeners stay for the next connection.
  }

  /** When this returns, everything that matches will be heard. */
  async add(link: Link, ear: Ear): Promise<void> {
    this.#ears.add(ear);
    try {
      await this.#inTurn(link, (channel) =>
        Promise.all(keysOf(ear).map((key) => channel.bindQueue(this.#queue, this.#topology.broadcasts, key))),
      );
    } catch (error) {
      this.#ears.delete(ear);
      throw error;
    }
  }

  /** From now on nothing more is heard; the bindings can go later. */
  remove(ear: Ear): void {
    this.#ears.delete(ear);
  }

  /** Takes away what this listener alone wanted. */
  async unbind(link: Link, ear: Ear): Promise<void> {
    await this.#inTurn(link, (channel) => {
      const wanted = new Set([...this.#ears].flatMap((other) => keysOf(other)));
      const idle = keysOf(ear).filter((key) => !wanted.has(key));
      return Promise.all(idle.map((key) => channel.unbindQueue(this.#queue, this.#topology.broadcasts, key)));
    });
  }

  /** One after another, so that what one listener needs is not taken away for another that goes. */
  #inTurn(link: Link, work: (channel: Channel) => Promise<unknown>): Promise<void> {
    const turn = this.#turn.then(() => link.briefly(work)).then(() => undefined);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  #hear(message: ConsumeMessage): void {
    let broadcast: Broadcast;
    try {
      const { subject, sender, correlationId } = readHeaders(message, 'broadcast');
      const body = readBody(message);
      broadcast = { subject, sender: (sender as Address) ?? null, body, correlationId: correlationId ?? null };
    } catch (error) {
      this.#report(error);
      return;
    }
    for (const { filters, listener } of [...this.#ears]) {
      if (!filters.some((filter) => matches(filter, broadcast.subject, broadcast.sender))) continue;
      try {
        listener(broadcast);
      } catch (error) {
        this.#report(error);
      }
    }
  }
}

function keysOf({ filters }: Ear): string[] {
  return [...new Set(filters.map((filter) => bindingKey(filter)))];
}
