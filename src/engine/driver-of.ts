import { leaseHolder } from '../store/leases.js';
import type { Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import { computerLease } from './computer-lease.js';
import { laneLease } from './lanes/lane.js';

/** The program that drives a computer or a lane at present. */
export interface DriverView {
  readonly pid: number;
  readonly host: string;
}

/** Who holds a computer's lease now; null when nobody does. */
export async function driverOf(store: Store, computerId: number, now = Date.now()): Promise<DriverView | null> {
  return holderOf(store, computerLease(computerId), now);
}

/** Who drives a process now; null when nobody does. */
export async function driverOfProcess(
  store: Store,
  row: Pick<ProcessRow, 'computer_id' | 'lane'>,
  now = Date.now(),
): Promise<DriverView | null> {
  const lease = leaseOf(row);
  return lease === undefined ? null : holderOf(store, lease, now);
}

/** The lease under which a process is driven. */
export function leaseOf({ computer_id, lane }: Pick<ProcessRow, 'computer_id' | 'lane'>): string | undefined {
  if (computer_id !== null) return computerLease(computer_id);
  return lane === null ? undefined : laneLease(lane);
}

async function holderOf(store: Store, lease: string, now: number): Promise<DriverView | null> {
  const holder = await leaseHolder(store, lease, now);
  return holder === undefined ? null : { pid: holder.pid, host: holder.host };
}
