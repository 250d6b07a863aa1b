import { WherryError } from '../../errors.js';
import { Expectation, type Limits } from '../expectation.js';
import type { HubConnection } from './link.js';
import { type ToHub, toHub } from './protocol.js';

/** What a client has asked the hub and was not answered yet. */
export class Requests {
  readonly #waiting = new Map<number, Expectation<Buffer>>();
  #last = 0;

  /**
   * Asks and waits for the answer.
   * Errors: those of the hub; that of `tooLate`; `aborted`; `broker-lost` when the connection breaks before;
   * `message-refused`.
   */
  async ask(
    connection: HubConnection,
    message: (id: number) => ToHub,
    body: Uint8Array,
    limits: Limits,
    tooLate: () => WherryError,
  ): Promise<Buffer> {
    const answer = new Expectation<Buffer>(limits, tooLate);
    if (answer.settled) return answer.promise;
    this.#last += 1;
    const id = this.#last;
    connection.send(checked(message(id)), body);
    this.#waiting.set(id, answer);
    try {
      return await answer.promise;
    } catch (error) {
      // It was given up, for else it would have been taken out.
      if (this.#waiting.delete(id)) connection.send({ type: 'forget', id });
      throw error;
    }
  }

  /** The answer has come. */
  settle(id: number, settle: (answer: Expectation<Buffer>) => void): void {
    const answer = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (answer !== undefined) settle(answer);
  }

  failAll(error: unknown): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const answer of waiting) answer.reject(error);
  }
}

/** The hub would end the connection of somebody who says what it does not understand. */
function checked(message: ToHub): ToHub {
  const { success, error } = toHub.safeParse(message);
  if (success) return message;
  const [issue] = error.issues;
  throw new WherryError('message-refused', `this cannot be sent: ${issue?.path.join('.')} ${issue?.message}`);
}
