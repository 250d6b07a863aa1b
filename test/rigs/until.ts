import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until `condition` gives something that is neither undefined, null nor false, and returns it.
 * Fails after `timeout` milliseconds (default 10 000), naming `what` was waited for. Errors of the condition fail at once.
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeout = 10_000, what, interval = 20 }: { timeout?: number; what: string; interval?: number },
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const value = await condition();
    if (value !== undefined && value !== null && value !== false) return value as Exclude<T, undefined | null | false>;
    if (Date.now() > deadline) throw new Error(`waited ${timeout} ms in vain: ${what}`);
    await delay(interval);
  }
}
