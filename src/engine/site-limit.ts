import { writeEvents } from '../store/events.js';
import { fenced, type Lease } from '../store/leases.js';
import { fromJson, type Store } from '../store/store.js';
import type { ComputerRow } from '../store/tables.js';
import { waitAfter } from './backoff.js';

/** What the site's own limit said last. Times are milliseconds since the epoch. */
export interface SiteLimit {
  /** The scheduler's own words. */
  readonly message: string;
  /** How often in a row it refused. */
  readonly refusals: number;
  readonly since: number;
  /** When one job is sent to ask again. */
  readonly after: number;
}

/** Milliseconds until a limit of the site is tried for the second time; the waits double from there. */
const firstWait = 30_000;

/** The site's own limit that a computer has met, if it has. A submission that is accepted ends it. */
export function siteLimitOf({ site_limit }: Pick<ComputerRow, 'site_limit'>): SiteLimit | undefined {
  return fromJson<SiteLimit>(site_limit);
}

/** Writes down that the site allows no more jobs; of several refusals that were on their way the first counts. */
export async function noteSiteLimit(
  store: Store,
  lease: Lease,
  computerId: number,
  message: string,
  at: { readonly now: number; readonly random: number },
): Promise<void> {
  const { now, random } = at;
  await fenced(store, lease, async (transaction) => {
    const row = await transaction
      .selectFrom('computers')
      .select('site_limit')
      .where('id', '=', computerId)
      .executeTakeFirstOrThrow();
    const last = siteLimitOf(row);
    if (last !== undefined && last.after > now) return;
    const refusals = (last?.refusals ?? 0) + 1;
    const after = now + waitAfter(refusals, random, firstWait);
    const limit: SiteLimit = { message, refusals, since: last?.since ?? now, after };
    await transaction
      .updateTable('computers')
      .set({ site_limit: JSON.stringify(limit) })
      .where('id', '=', computerId)
      .execute();
    await writeEvents(transaction, null, now, [
      { type: 'computer.limit-reached', computerId, data: { message, nextAt: after } },
    ]);
  });
}
