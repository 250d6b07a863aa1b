import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Heartbeat } from './messages.js';

/** Measures this program between one heartbeat and the next. */
export class VitalSigns {
  readonly #delay = monitorEventLoopDelay({ resolution: 20 });
  #at = performance.now();
  #used = process.cpuUsage();

  constructor() {
    this.#delay.enable();
  }

  /** How it has been since it was last asked, with what its engine has in progress. */
  take(load: Pick<Heartbeat, 'computers' | 'steps'>): Heartbeat {
    const now = performance.now();
    const since = process.cpuUsage(this.#used);
    const used = process.cpuUsage();
    const heartbeat = {
      delayP99: this.#delay.percentile(99) / 1e6,
      delayMax: this.#delay.max / 1e6,
      memory: process.memoryUsage.rss(),
      cpu: Math.round((since.user + since.system) / (now - this.#at) / 10),
      cpuTime: (used.user + used.system) / 1e6,
      children: process.getActiveResourcesInfo().filter((kind) => kind === 'ProcessWrap').length,
      ...load,
    };
    this.#delay.reset();
    this.#at = now;
    this.#used = used;
    return heartbeat;
  }
}
