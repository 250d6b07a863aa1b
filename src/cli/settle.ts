import { stopTimeout } from '../daemon/stop-timeout.js';
import type { Engine } from '../engine/engine.js';
import { say } from './terminal.js';

/** Milliseconds that nobody minds waiting for without a word. */
const unnoticed = 1_000;

/**
 * Lets the steps in progress end before a command leaves its engine. Ctrl-C makes it hurry; where it was pressed before,
 * a second one ends the program at once, as always.
 * @param timeout milliseconds, after which what is left is aborted
 */
export async function settle(engine: Engine, interrupted: AbortSignal, timeout = stopTimeout): Promise<void> {
  if (!engine.busy) return engine.settle(AbortSignal.timeout(timeout));
  const tell = () => say('finishing the steps in progress; Ctrl-C stops at once');
  const timer = setTimeout(tell, interrupted.aborted ? 0 : unnoticed);
  const enough = [AbortSignal.timeout(timeout), ...(interrupted.aborted ? [] : [interrupted])];
  try {
    await engine.settle(AbortSignal.any(enough));
  } finally {
    clearTimeout(timer);
  }
}
