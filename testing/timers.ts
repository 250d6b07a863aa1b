import { AsyncResource } from 'node:async_hooks';
import type { VirtualClock } from './clock.js';

type Callback = (...words: unknown[]) => void;

/**
 * Puts `setTimeout` and `clearTimeout` of this program on a virtual clock, until it is disposed of: what libraries wait
 * for then passes with everything else, and in the same order each time.
 */
export function virtualTimers(clock: VirtualClock): Disposable {
  const { setTimeout, clearTimeout } = globalThis;
  const replacement = (callback: Callback, delay = 0, ...words: unknown[]) =>
    new VirtualTimer(clock, callback, delay, words);
  Object.assign(globalThis, {
    setTimeout: replacement,
    clearTimeout: (timer: unknown) => {
      if (timer instanceof VirtualTimer) timer.close();
      else clearTimeout(timer as NodeJS.Timeout | undefined);
    },
  });
  return { [Symbol.dispose]: () => Object.assign(globalThis, { setTimeout, clearTimeout }) };
}

/** What `setTimeout` gives, as far as anybody asks of it. */
class VirtualTimer {
  readonly #set: () => () => void;
  #callOff: () => void;

  constructor(clock: VirtualClock, callback: Callback, delay: number, words: readonly unknown[]) {
    // As with real timers, what is called belongs to whoever asked for it.
    const call = AsyncResource.bind(() => callback(...words));
    this.#set = () => clock.at(clock.now() + Math.max(0, delay), call);
    this.#callOff = this.#set();
  }

  close(): this {
    this.#callOff();
    return this;
  }

  refresh(): this {
    this.#callOff();
    this.#callOff = this.#set();
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return false;
  }
}
