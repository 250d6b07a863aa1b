import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import type { WherryError } from '../../errors.js';
import { lostError, operationTrouble } from './troubles.js';

/** Something that has channels, queues or consumers of its own on every new connection. */
export interface Part {
  /** Makes them. What this throws makes the connection fail. */
  attach(link: Link): Promise<void>;
  /** All parts are there. */
  begin?(): void;
  /** They are gone. */
  detach(error: WherryError): void;
  /** What is to be said before an orderly end; it is not waited for long. */
  farewell?(): Promise<void>;
}

/** One connection, from its set-up to the moment when it breaks. */
export class Link {
  readonly #model: ChannelModel;
  readonly #channels = new Set<Channel>();
  #ended = false;
  /** What has been made on this connection and need not be made again. */
  readonly known = new Set<string>();

  constructor(model: ChannelModel) {
    this.#model = model;
  }

  get ended(): boolean {
    return this.#ended;
  }

  end(): void {
    this.#ended = true;
  }

  async channel(): Promise<Channel> {
    return this.#keep(await this.#model.createChannel());
  }

  async confirmChannel(): Promise<ConfirmChannel> {
    return this.#keep(await this.#model.createConfirmChannel());
  }

  /** Does something on a channel of its own, which the broker closes when it refuses. */
  async briefly<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    let channel: Channel | undefined;
    try {
      channel = await this.#model.createChannel();
      channel.on('error', () => undefined);
      const result = await work(channel);
      await channel.close();
      return result;
    } catch (error) {
      channel?.close().catch(() => undefined);
      throw this.#ended ? lostError(error) : operationTrouble(error);
    }
  }

  /** Ends a channel once everything that was said on it has arrived. */
  async release(channel: Channel): Promise<void> {
    if (!this.#channels.delete(channel)) return;
    await channel.close();
  }

  async goodbye(): Promise<void> {
    await Promise.all([...this.#channels].map((channel) => this.release(channel)));
  }

  /** A lasting channel that the broker closes takes everything with it: connecting again makes all of it anew. */
  #keep<Kind extends Channel>(channel: Kind): Kind {
    this.#channels.add(channel);
    channel.on('error', () => undefined);
    channel.on('handler-error', () => undefined);
    channel.on('close', () => {
      if (!this.#channels.delete(channel) || this.#ended) return;
      this.#model.close().catch(() => undefined);
    });
    return channel;
  }
}
