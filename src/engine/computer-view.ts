import type { ComputerConfig } from '../config/computer.js';
import { fromJson, type Store } from '../store/store.js';
import type { ComputerRow } from '../store/tables.js';
import { type DriverView, driverOf } from './driver-of.js';
import { isoTime } from './views.js';

/** A computer as other programs see it. Times are ISO 8601. */
export interface ComputerView {
  readonly label: string;
  readonly uuid: string;
  readonly config: ComputerConfig;
  /** Why nothing is sent until a person has done something. */
  readonly hold: HoldView | null;
  /** Since when it takes no new jobs, because somebody is draining it. */
  readonly drainingSince: string | null;
  /** Why the next job is not submitted now, and since when. */
  readonly throttle: { readonly reason: string; readonly since: string } | null;
  /** Jobs of the user there that are not ours, as the last listing counted them; null when they are not counted. */
  readonly foreignJobs: number | null;
  /** Failures in a row to open a connection, and when the next try may come. */
  readonly openFailures: number;
  readonly openAfter: string | null;
  readonly openedAt: string | null;
  readonly polledAt: string | null;
  readonly driver: DriverView | null;
  /** Processes on it that have not ended. */
  readonly living: number;
}

export interface HoldView {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly since: string;
}

/** A row of the store as other programs see it. */
export async function computerView(store: Store, row: ComputerRow, now = Date.now()): Promise<ComputerView> {
  const { count } = await store
    .selectFrom('processes')
    .select((columns) => columns.fn.countAll<number>().as('count'))
    .where('computer_id', '=', row.id)
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow();
  return {
    label: row.label,
    uuid: row.uuid,
    config: JSON.parse(row.config) as ComputerConfig,
    hold: holdView(row),
    drainingSince: isoTime(row.draining_since),
    throttle: throttleView(row),
    foreignJobs: row.foreign_jobs,
    openFailures: row.open_failures,
    openAfter: row.open_after !== null && row.open_after > now ? isoTime(row.open_after) : null,
    openedAt: isoTime(row.opened_at),
    polledAt: isoTime(row.polled_at),
    driver: await driverOf(store, row.id, now),
    living: Number(count),
  };
}

function throttleView({ throttle }: ComputerRow): ComputerView['throttle'] {
  const stored = fromJson<{ reason: string; since: number }>(throttle);
  return stored === undefined ? null : { reason: stored.reason, since: isoTime(stored.since) };
}

/** The hold of a computer, if there is one. */
export function holdView({ hold }: Pick<ComputerRow, 'hold'>): HoldView | null {
  const stored = fromJson<{ code: string; message: string; hint?: string; since: number }>(hold);
  if (stored === undefined) return null;
  const { code, message, hint = null, since } = stored;
  return { code, message, hint, since: isoTime(since) };
}
