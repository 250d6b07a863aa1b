import { sql } from 'kysely';
import { WherryError } from '../errors.js';
import type { Store } from '../store/store.js';

/** Milliseconds that clocks may differ: leases, which last half a minute, are compared by them. */
const tolerance = 5_000;

/**
 * Makes sure that this host and the database have the same time.
 * Errors: `store-failed` when they differ so much that leases would not hold.
 */
export async function expectSameClock(store: Store): Promise<void> {
  const before = Date.now();
  const { rows } = await sql<{ at: number }>`select extract(epoch from clock_timestamp()) * 1000 as at`.execute(store);
  const there = Number(rows[0]?.at);
  // Whatever the question took is no difference.
  const difference = there < before ? there - before : Math.max(0, there - Date.now());
  if (Math.abs(difference) <= tolerance) return;
  const seconds = (Math.abs(difference) / 1_000).toFixed(1);
  const words = `${seconds} s ${difference > 0 ? 'behind' : 'ahead of'}`;
  throw new WherryError('store-failed', `the clock of this host is ${words} that of the database`, {
    hint: 'let both follow the same time server (NTP)',
  });
}
