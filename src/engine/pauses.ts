import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Milliseconds. Steps keep a distance, so that a thousand ends of verbs are not a thousand rounds of questions to the
 * store: a job that is alone hardly ever waits for it, and verbs in progress keep the channels busy meanwhile.
 */
const distance = 25;

/** Waits until a moment, or until the signal comes; never fails. */
export type Sleep = (until: number, signal: AbortSignal) => Promise<void>;

/** The pauses between the steps of an engine, which anything may end that happens. */
export class Pauses {
  readonly #now: () => number;
  readonly #simulated: Sleep | undefined;
  #woken = false;
  #wakeUp: (() => void) | undefined;
  /** When the last step began, by a clock that nobody sets. */
  #began = 0;

  /** @param simulated waits where time does not pass by itself */
  constructor(now: () => number, simulated?: Sleep) {
    this.#now = now;
    this.#simulated = simulated;
  }

  /** A step begins. */
  begin(): void {
    this.#woken = false;
    this.#began = performance.now();
  }

  /** Did something happen since the present step began? */
  get woken(): boolean {
    return this.#woken;
  }

  /** There may be more to do. */
  wake(): void {
    this.#woken = true;
    this.#wakeUp?.();
  }

  /**
   * Waits until a time, a wake-up or the signal. It always lets the event loop turn: queries of an embedded database
   * never do, and a loop of them alone would keep everything that it waits for from happening.
   */
  async wait(until: number, signal: AbortSignal): Promise<void> {
    await nextTurn();
    if (this.#simulated !== undefined) return this.#waitSimulated(this.#simulated, until, signal);
    await this.#untilWoken(until, signal);
    const rest = this.#began + distance - performance.now();
    if (rest > 0 && !signal.aborted) await delay(rest);
  }

  async #waitSimulated(sleep: Sleep, until: number, signal: AbortSignal): Promise<void> {
    if (this.#woken || signal.aborted) return;
    const woken = new AbortController();
    this.#wakeUp = () => woken.abort();
    await sleep(Math.max(until, this.#now() + 1), AbortSignal.any([signal, woken.signal]));
    this.#wakeUp = undefined;
  }

  async #untilWoken(until: number, signal: AbortSignal): Promise<void> {
    if (this.#woken || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wakeUp = undefined;
        resolve();
      };
      const timer = setTimeout(done, Math.max(1, until - this.#now()));
      signal.addEventListener('abort', done, { once: true });
      this.#wakeUp = done;
    });
  }
}
