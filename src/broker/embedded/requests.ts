import { type Awaited, type AwaitedOptions, awaited } from './awaited.js';
import type { HubConnection } from './link.js';
import type { ToHub } from './protocol.js';

/** What a client has asked the hub and was not answered yet. */
export class Requests {
  readonly #waiting = new Map<number, Awaited<Buffer>>();
  #last = 0;

  /**
   * Asks and waits for the answer.
   * Errors: those of the hub; `timed-out`, `aborted`; `broker-lost` when the connection breaks before; `message-refused`.
   */
  async ask(
    connection: HubConnection,
    message: (id: number) => ToHub,
    body: Uint8Array,
    patience: Pick<AwaitedOptions, 'timeout' | 'signal' | 'late'>,
  ): Promise<Buffer> {
    this.#last += 1;
    const id = this.#last;
    const answer = awaited<Buffer>({
      ...patience,
      givenUp: () => {
        this.#waiting.delete(id);
        connection.send({ type: 'forget', id });
      },
    });
    if (patience.signal?.aborted) return answer.promise;
    this.#waiting.set(id, answer);
    try {
      connection.send(message(id), body);
    } catch (error) {
      this.#waiting.delete(id);
      answer.reject(error);
    }
    return answer.promise;
  }

  /** The answer has come. */
  settle(id: number, settle: (answer: Awaited<Buffer>) => void): void {
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
