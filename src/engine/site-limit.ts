import { WherryError } from '../errors.js';
import { writeEvents } from '../store/events.js';
import { fenced, type Lease } from '../store/leases.js';
import { fromJson, type Store, type StoreTransaction } from '../store/store.js';
import type { ComputerRow } from '../store/tables.js';
import { waitAfter } from './backoff.js';
import { standingJobs } from './standing-jobs.js';

/** What the site's own limit said last. Times are milliseconds since the epoch. */
export interface SiteLimit {
  /** The scheduler's own words. */
  readonly message: string;
  /** How often in a row it refused. */
  readonly refusals: number;
  readonly since: number;
  /** How many jobs of ours stood there when it refused: so many may stand there again at once. */
  readonly standing: number;
  /** When one job more is sent to ask again. */
  readonly after: number;
}

/** Milliseconds until a limit of the site is tried for the second time; the waits double from there. */
const firstWait = 30_000;

/** The site's own limit that a computer has met, if it has. */
export function siteLimitOf({ site_limit }: Pick<ComputerRow, 'site_limit'>): SiteLimit | undefined {
  return fromJson<SiteLimit>(site_limit);
}

/** Writes down that the site allows no more jobs; several refusals that were on their way together count as one. */
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
    const standing = await standingJobs(transaction, computerId);
    if (last !== undefined && last.after > now) {
      const limit: SiteLimit = { ...last, standing: Math.min(last.standing, standing) };
      return writeLimit(transaction, computerId, limit);
    }
    const refusals = (last?.refusals ?? 0) + 1;
    const after = now + waitAfter(refusals, random, firstWait);
    await writeLimit(transaction, computerId, { message, refusals, since: last?.since ?? now, standing, after });
    await writeEvents(transaction, null, now, [
      { type: 'computer.limit-reached', computerId, data: { message, nextAt: after } },
    ]);
  });
}

/** A job was accepted after the waiting time: the limit is no more what it was. */
export async function noteAcceptance(store: Store, lease: Lease, computer: ComputerRow, now: number): Promise<void> {
  const limit = siteLimitOf(computer);
  if (limit === undefined || limit.after > now) return;
  await fenced(store, lease, (transaction) => writeLimit(transaction, computer.id, null), { repeatable: true });
}

async function writeLimit(transaction: StoreTransaction, computerId: number, limit: SiteLimit | null): Promise<void> {
  await transaction
    .updateTable('computers')
    .set({ site_limit: limit === null ? null : JSON.stringify(limit) })
    .where('id', '=', computerId)
    .execute();
}

/** The site's limit that an error tells of, or that is behind a submission of which nothing is known. */
export function siteLimitIn(error: unknown): WherryError | undefined {
  if (!(error instanceof WherryError)) return undefined;
  return error.code === 'limit-reached' ? error : siteLimitIn(error.cause);
}
