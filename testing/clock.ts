import { setImmediate as nextTurn } from 'node:timers/promises';

interface Sleeper {
  readonly until: number;
  readonly wake: () => void;
}

/** Turns of the event loop without any news after which everybody is taken to be waiting. */
const quietTurns = 3;
/** Turns after which even a busy machine is taken to be waiting: its timers may be those of others. */
const busyTurns = 5_000;
/** Turns without news and without sleepers after which nothing can be expected any more. */
const stuckTurns = 2_000_000;

/** A clock that stands still while anything is at work, and jumps to the next moment somebody waits for. */
export class VirtualClock {
  readonly #sleepers = new Set<Sleeper>();
  #now: number;
  #news = 0;

  /** @param start milliseconds since the epoch */
  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start;
  }

  /** Milliseconds since the epoch. */
  readonly now = (): number => this.#now;

  /**
   * Calls back at a moment of this clock, once.
   * @returns what calls it off
   */
  readonly at = (until: number, callback: () => void): (() => void) => {
    this.#news++;
    const forget = () => this.#sleepers.delete(sleeper);
    const sleeper = {
      // Whole, as the moments of a real clock.
      until: Math.ceil(until),
      wake: () => {
        this.#news++;
        forget();
        callback();
      },
    };
    this.#sleepers.add(sleeper);
    return forget;
  };

  /** Waits until a moment of this clock, or until the signal comes; never fails. */
  readonly sleep = async (until: number, signal?: AbortSignal): Promise<void> => {
    this.#news++;
    if (signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const stop = () => {
        this.#news++;
        forget();
        resolve();
      };
      const forget = this.at(until, () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      });
      signal?.addEventListener('abort', stop, { once: true });
    });
  };

  /** Goes on to the next moment that somebody waits for; false when nobody waits. */
  advance(): boolean {
    let next = Number.POSITIVE_INFINITY;
    for (const { until } of this.#sleepers) if (until < next) next = until;
    if (next === Number.POSITIVE_INFINITY) return false;
    this.#now = Math.max(this.#now, next);
    for (const sleeper of [...this.#sleepers]) {
      // One that is woken may call off another.
      if (sleeper.until <= this.#now && this.#sleepers.has(sleeper)) sleeper.wake();
    }
    return true;
  }

  /** Moves the clock while `work` goes on, whenever everybody waits for it. Errors: those of `work`. */
  async during<T>(work: Promise<T>): Promise<T> {
    const progress = { ended: false };
    const end = () => {
      progress.ended = true;
    };
    work.then(end, end);
    const foreignTimers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    let quiet = 0;
    let news = this.#news;
    while (!progress.ended) {
      await nextTurn();
      quiet = news === this.#news ? quiet + 1 : 0;
      news = this.#news;
      if (quiet > stuckTurns) throw new Error('the work waits for something that is not of the virtual clock');
      if (quiet >= quietTurns && (quiet > busyTurns || !isMachineBusy(foreignTimers))) this.advance();
    }
    return work;
  }
}

/** Files being read or written, what is to come in this turn, timers of no length about to end: work and no waiting. */
function isMachineBusy(foreignTimers: number): boolean {
  let timers = 0;
  for (const name of process.getActiveResourcesInfo()) {
    if (name === 'Immediate' || name.startsWith('FSReq')) return true;
    if (name === 'Timeout') timers++;
  }
  return timers > foreignTimers;
}
