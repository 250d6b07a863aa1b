import { randomUUID } from 'node:crypto';
import type { ConsumeMessage } from 'amqplib';
import { messageOf, WherryError } from '../../errors.js';
import type { Json } from '../communicator.js';
import { Expectation, type Limits } from '../expectation.js';
import { errorOf } from '../failure.js';
import { properties, readBody, readFailure, readHeaders } from './envelope.js';
import type { Link, Part } from './link.js';
import { Publisher, type Sending } from './publisher.js';
import { closedError, lostError, unavailableError } from './troubles.js';

/** The queue that is none: the broker hands answers straight to the channel on which the question was asked. */
const straightBack = 'amq.rabbitmq.reply-to';

/** A message that is to be answered. */
export type Question = Omit<Sending, 'repeatable'>;

interface Waiting {
  readonly answer: Expectation<Json>;
  /** Has the broker confirmed that it has the question? */
  sent: boolean;
}

/** Asks by messages and waits for their answers. */
export class Questions implements Part {
  /** Its own, so that no large task is before a call. */
  readonly #publisher = new Publisher();
  readonly #waiting = new Map<string, Waiting>();
  readonly #report: (problem: unknown) => void;

  constructor(report: (problem: unknown) => void) {
    this.#report = report;
  }

  async attach(link: Link): Promise<void> {
    await this.#publisher.attach(link);
    await this.#publisher.channel?.consume(straightBack, (message) => this.#hear(message), { noAck: true });
  }

  begin(): void {
    this.#publisher.begin();
  }

  detach(error: WherryError): void {
    this.#publisher.detach(error);
    // Of what the broker has not confirmed, the publisher decides; of the rest no answer can come any more.
    for (const { answer, sent } of [...this.#waiting.values()]) if (sent) answer.reject(error);
  }

  async farewell(): Promise<void> {
    for (const { answer } of [...this.#waiting.values()]) answer.reject(closedError());
  }

  /**
   * Errors: `unroutable` when it reaches nobody; `timed-out`, or `broker-unavailable` when the broker did not even take
   * it; `broker-lost`; those of the other side.
   */
  async ask(question: Question, limits: Limits): Promise<Json> {
    const correlationId = randomUUID();
    const answer: Expectation<Json> = new Expectation(limits, () => (waiting.sent ? timedOut() : unavailableError()));
    const waiting: Waiting = { answer, sent: false };
    this.#waiting.set(correlationId, waiting);
    const asked = { ...question.properties, correlationId, replyTo: straightBack };
    // It begins to wait before it is sent: the answer may be faster than the confirmation.
    this.#publisher.send({ ...question, properties: asked, repeatable: false }, limits).then(
      (routed) => {
        waiting.sent = true;
        if (!routed) answer.reject(unroutable(question.key));
        // The connection broke at this very moment.
        else if (this.#publisher.channel === undefined) answer.reject(lostError());
      },
      (error) => answer.reject(error),
    );
    try {
      return await answer.promise;
    } catch (error) {
      if (isGivenUp(error)) this.#forget(question, correlationId);
      throw error;
    } finally {
      this.#waiting.delete(correlationId);
    }
  }

  /** Tells the other side that nobody waits any more; whether it hears so does not matter. */
  #forget({ exchange, key }: Question, correlationId: string): void {
    this.#publisher.mention({
      ...{ exchange, key, body: Buffer.from('null') },
      properties: properties('cancel', {}, { correlationId }),
    });
  }

  #hear(message: ConsumeMessage | null): void {
    if (message === null) return;
    const { answer } = this.#waiting.get(String(message.properties.correlationId)) ?? {};
    // Too late: nobody waits any more.
    if (answer === undefined) return;
    try {
      const { failed } = readHeaders(message, 'answer');
      if (failed) answer.reject(errorOf(readFailure(message)));
      else answer.resolve(readBody(message));
    } catch (error) {
      this.#report(error);
      answer.reject(new WherryError('message-refused', `the answer cannot be read: ${messageOf(error)}`));
    }
  }
}

function isGivenUp(error: unknown): boolean {
  return error instanceof WherryError && (error.code === 'aborted' || error.code === 'communicator-closed');
}

function timedOut(): WherryError {
  const hint = 'it may be busy; ask again or wait longer';
  return new WherryError('timed-out', 'the answer did not come in time', { transient: true, hint });
}

function unroutable(key: string): WherryError {
  return new WherryError('unroutable', `nobody answers to ${key}`, {
    hint: 'start whoever should: wherry daemon start',
  });
}
