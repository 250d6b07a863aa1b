import { claimLease, type Lease, livingLeases, releaseLease, renewLease } from '../../store/leases.js';
import type { Store } from '../../store/store.js';
import type { LeaseRow } from '../../store/tables.js';

/** Milliseconds. Rows of workers that died are kept for a while, for people who look. */
const timing = { lease: 30_000, kept: 3_600_000 } as const;
const prefix = 'worker:';

/** How often a worker says that it is there, in milliseconds. */
export const presenceInterval = timing.lease / 4;

/**
 * The workers of a profile, on whatever hosts they are: each holds a lease of its own. They share the computers, and
 * what one that has vanished held is free when its leases have run out.
 */
export class Presence {
  readonly #store: Store;
  readonly #owner: string;
  readonly #now: () => number;
  #lease: Lease | undefined;

  constructor(store: Store, owner: string, now: () => number) {
    this.#store = store;
    this.#owner = owner;
    this.#now = now;
  }

  /** Says that this worker is there, for the next half a minute. */
  async announce(): Promise<void> {
    const at = this.#now();
    if (this.#lease !== undefined && (await renewLease(this.#store, this.#lease, at, timing.lease))) return;
    this.#lease = await claimLease(this.#store, `${prefix}${this.#owner}`, this.#owner, at, timing.lease);
    await this.#store
      .deleteFrom('leases')
      .where('name', 'like', `${prefix}%`)
      .where('expires_at', '<', at - timing.kept)
      .execute();
  }

  /** This worker takes no more. */
  async withdraw(): Promise<void> {
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease !== undefined) await releaseLease(this.#store, lease);
  }
}

/** The workers that are there now. */
export async function presentWorkers(store: Store, now: number): Promise<LeaseRow[]> {
  return livingLeases(store, prefix, now);
}
