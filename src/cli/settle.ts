import { stopTimeout } from '../daemon/stop-timeout.js';
import type { Engine } from '../engine/engine.js';
import { say } from './terminal.js';

/** Lets the steps in progress end before a command leaves its engine; a second Ctrl-C ends the program at once. */
export async function settle(engine: Engine, interrupted: AbortSignal): Promise<void> {
  if (interrupted.aborted && engine.busy) say('finishing the steps in progress; Ctrl-C again stops at once');
  await engine.settle(AbortSignal.timeout(stopTimeout));
}
