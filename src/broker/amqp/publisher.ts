import type { ConfirmChannel, Options } from 'amqplib';
import { WherryError } from '../../errors.js';
import { Expectation, type Limits } from '../expectation.js';
import type { Link, Part } from './link.js';
import { lostError, operationTrouble, unavailableError } from './troubles.js';

export interface Sending {
  /** '' for the queue that the key names. */
  readonly exchange: string;
  readonly key: string;
  readonly body: Buffer;
  readonly properties: Options.Publish;
  /** Is it of use on another connection, when this one breaks before the broker has confirmed it? */
  readonly repeatable: boolean;
  /** Is it to be told whether it reached a queue? Default: yes. */
  readonly mandatory?: boolean;
  /** Is it a part of setting up the connection? Others wait until that is done. */
  readonly early?: boolean;
}

interface Outstanding extends Sending {
  readonly expectation: Expectation<boolean>;
  written: boolean;
}

/** Sends messages and waits until the broker has confirmed that it has them. */
export class Publisher implements Part {
  /** In the order in which they were given to us. */
  readonly #outstanding = new Set<Outstanding>();
  /** Ids of messages that came back as nobody wants them; the confirmation of each follows at once. */
  readonly #returned = new Set<string>();
  #channel: ConfirmChannel | undefined;
  #begun = false;
  #ended: WherryError | undefined;
  #count = 0;

  /** For what is bound to the channel of the sender, such as answers that come straight to it. */
  get channel(): ConfirmChannel | undefined {
    return this.#channel;
  }

  async attach(link: Link): Promise<void> {
    const channel = await link.confirmChannel();
    channel.on('return', ({ properties }) => void this.#returned.add(String(properties.messageId)));
    this.#channel = channel;
  }

  begin(): void {
    this.#begun = true;
    for (const outstanding of [...this.#outstanding]) this.#write(outstanding);
  }

  detach(error: WherryError): void {
    this.#channel = undefined;
    this.#begun = false;
    this.#returned.clear();
    const closed = error.code === 'communicator-closed';
    if (closed) this.#ended = error;
    for (const outstanding of [...this.#outstanding]) {
      if (closed || (outstanding.written && !outstanding.repeatable)) outstanding.expectation.reject(error);
      outstanding.written = false;
    }
  }

  /**
   * @returns whether it reached a queue, as far as that is to be told
   * Errors: `broker-unavailable` when it was not confirmed in time; `broker-lost`.
   */
  async send(sending: Sending, limits: Limits): Promise<boolean> {
    if (this.#ended) throw this.#ended;
    const expectation = new Expectation<boolean>(limits, unavailableError);
    const messageId = sending.properties.messageId ?? `${++this.#count}`;
    const properties = { ...sending.properties, messageId, mandatory: sending.mandatory ?? true };
    const outstanding = { ...sending, properties, expectation, written: false };
    this.#outstanding.add(outstanding);
    if (!expectation.settled) this.#write(outstanding);
    try {
      return await expectation.promise;
    } finally {
      this.#outstanding.delete(outstanding);
    }
  }

  /** Sends without wanting to know what becomes of it. */
  mention({ exchange, key, body, properties }: Omit<Sending, 'repeatable'>): void {
    try {
      this.#channel?.publish(exchange, key, body, properties);
    } catch {
      // The connection is about to end, and with it whatever was to be said.
    }
  }

  #write(outstanding: Outstanding): void {
    const { exchange, key, body, properties, expectation } = outstanding;
    const channel = this.#channel;
    if (channel === undefined || !(this.#begun || outstanding.early) || outstanding.written) return;
    const confirmed = (error: Error | null) => {
      // What was not confirmed when the channel ended is dealt with when the link is lost.
      if (channel !== this.#channel) return;
      const routed = !this.#returned.delete(String(properties.messageId));
      if (error === null) expectation.resolve(routed);
      else if (error.message === 'message nacked') expectation.reject(unavailableError());
    };
    try {
      channel.publish(exchange, key, body, properties, confirmed);
      outstanding.written = true;
    } catch (error) {
      // On a channel that is about to close it simply stays for the next connection.
      if ((error as Error).name !== 'IllegalOperationError') expectation.reject(operationTrouble(tooLarge(error)));
      else if (!outstanding.repeatable) expectation.reject(lostError(error));
    }
  }
}

function tooLarge(error: unknown): unknown {
  if (!(error instanceof RangeError) && !(error instanceof TypeError)) return error;
  return new WherryError('message-refused', `a message cannot be sent: ${error.message}`, { cause: error });
}
