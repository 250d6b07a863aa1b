import { setTimeout as delay } from 'node:timers/promises';
import { VirtualClock } from '../testing/index.js';

/** The clock on the wall, for a simulated cluster whose time passes by itself. */
export class RealClock extends VirtualClock {
  override readonly now = Date.now;

  override readonly sleep = async (until: number, signal?: AbortSignal): Promise<void> => {
    const rest = until - Date.now();
    if (rest > 0 && !signal?.aborted)
      await delay(rest, undefined, signal === undefined ? {} : { signal }).catch(() => {});
  };
}
