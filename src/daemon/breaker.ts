import type { BreakerStatus } from './messages.js';
import { breakerPause, type RestartTiming } from './restart-policy.js';
import { isoTime } from './worker-place.js';

/** Keeps workers from being started for a while: what makes them end at their start does so to each of them. */
export class Breaker {
  readonly #timing: RestartTiming;
  readonly #tryOne: () => void;
  #open: BreakerStatus | undefined;
  /** How often in a row it has opened. */
  #times = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param tryOne called when the time has come to start one worker, to see whether it stays */
  constructor(timing: RestartTiming, tryOne: () => void) {
    this.#timing = timing;
    this.#tryOne = tryOne;
  }

  /** Null while it is closed. */
  get status(): BreakerStatus | null {
    return this.#open ?? null;
  }

  /** Opens it, or keeps it open for a longer time when the one that was tried has ended too. */
  open(reason: string): BreakerStatus {
    this.#times += 1;
    const pause = breakerPause(this.#times, this.#timing);
    const now = Date.now();
    this.#open = { since: this.#open?.since ?? isoTime(now), until: isoTime(now + pause), reason };
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tryOne(), pause);
    return this.#open;
  }

  /** Has one tried now. */
  tryNow(): void {
    clearTimeout(this.#timer);
    this.#tryOne();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#open = undefined;
    this.#times = 0;
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}
