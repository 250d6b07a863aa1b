import type { Lease } from '../../store/leases.js';
import type { LaneTools } from '../driver-tools.js';
import type { WorkDriver } from '../work-driver.js';
import type { WorkKind } from '../work-kind.js';
import { laneLease } from './lane.js';
import { lanesWithWork } from './lane-work.js';
import { takeUpOrphans } from './orphans.js';

/**
 * Workflows that wait and are kept in memory: about 15 KB each, and several times that until it is collected. Others are
 * a few milliseconds later when they wake.
 */
const mostResting = 200;

/** Milliseconds between two looks for what programs have left that are gone. */
const orphanInterval = 5_000;

/** Where code of processes runs. */
export interface LaneDrivers {
  /** May lanes be taken now? */
  readonly ready: boolean;
  /** A driver for a lane. @param resting how many workflows that wait are kept in memory */
  driver(lease: Lease, lane: string, resting: number): WorkDriver;
}

/** The lanes that a program drives: those that all workers share, or one of its own. */
export class LaneWork implements WorkKind {
  readonly keeps = true;
  readonly #tools: LaneTools;
  readonly #lanes: ReadonlyMap<string, string>;
  readonly #drivers: LaneDrivers;
  #lookedForOrphans = Number.NEGATIVE_INFINITY;
  /** Those that are held, whether there is work or not. */
  readonly #always: readonly string[];

  /** @param always lanes that are taken although nothing stands in them yet */
  constructor(tools: LaneTools, lanes: readonly string[], drivers: LaneDrivers, options: { readonly always: boolean }) {
    this.#tools = tools;
    this.#lanes = new Map(lanes.map((lane) => [laneLease(lane), lane]));
    this.#drivers = drivers;
    this.#always = options.always ? [...this.#lanes.keys()] : [];
  }

  async withWork(): Promise<readonly string[]> {
    if (this.#always.length > 0) return this.#always;
    const { store, now } = this.#tools;
    if (now() - this.#lookedForOrphans >= orphanInterval) {
      this.#lookedForOrphans = now();
      await takeUpOrphans(store, now());
    }
    return (await lanesWithWork(store, now())).map(laneLease).filter((name) => this.#lanes.has(name));
  }

  total(): number {
    return this.#lanes.size;
  }

  mayTake(name: string): boolean {
    return this.#lanes.has(name) && this.#drivers.ready;
  }

  async driverFor(lease: Lease): Promise<WorkDriver | undefined> {
    const lane = this.#lanes.get(lease.name);
    return lane === undefined
      ? undefined
      : this.#drivers.driver(lease, lane, Math.floor(mostResting / this.#lanes.size));
  }

  async failed(_name: string, error: unknown): Promise<void> {
    throw error;
  }
}
