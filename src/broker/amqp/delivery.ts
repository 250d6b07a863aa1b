import type { Channel } from 'amqplib';
import type { Link } from './link.js';

/** The channel of an intake on one connection: every task must be dealt with on the one on which it came. */
export class Delivery {
  readonly link: Link;
  readonly channel: Channel;
  readonly consumer: string;
  /** Tasks that came and are not dealt with yet. */
  open = 0;
  /** No more come, and what is open shall end it. */
  draining = false;

  constructor(link: Link, channel: Channel, consumer: string) {
    this.link = link;
    this.channel = channel;
    this.consumer = consumer;
  }

  /** A task has been dealt with. */
  settle(): void {
    this.open--;
    this.endWhenDone();
  }

  endWhenDone(): void {
    if (this.draining && this.open === 0 && !this.link.ended) this.link.release(this.channel).catch(() => undefined);
  }
}
