import { leaseHolder } from '../store/leases.js';
import type { Store } from '../store/store.js';

/** The program that drives a computer at present. */
export interface DriverView {
  readonly pid: number;
  readonly host: string;
}

/** Who holds a computer's lease now; null when nobody does. */
export async function driverOf(store: Store, computerId: number, now = Date.now()): Promise<DriverView | null> {
  const holder = await leaseHolder(store, `computer:${computerId}`, now);
  return holder === undefined ? null : { pid: holder.pid, host: holder.host };
}
