/** Somebody's wish that the daemon ends, and the word that it has. */
export class StopOrder {
  readonly given: Promise<void>;
  readonly carriedOut: Promise<number>;
  #timeout: number;
  #isGiven = false;
  #give: () => void = () => undefined;
  /** To be called when everything has ended, with the number of workers that had to be killed. */
  done: (killed: number) => void = () => undefined;

  /** @param timeout milliseconds that workers have when an order says nothing else */
  constructor(timeout: number) {
    this.#timeout = timeout;
    this.given = new Promise((resolve) => {
      this.#give = resolve;
    });
    this.carriedOut = new Promise((resolve) => {
      this.done = resolve;
    });
  }

  get isGiven(): boolean {
    return this.#isGiven;
  }

  /** Milliseconds that workers have. */
  get timeout(): number {
    return this.#timeout;
  }

  /** Given again, there is less time, never more: whoever asked first counts on it. */
  give(timeout = this.#timeout): void {
    this.#timeout = this.#isGiven ? Math.min(this.#timeout, timeout) : timeout;
    this.#isGiven = true;
    this.#give();
  }
}
