import { sql } from 'kysely';
import { Prepared } from '../../store/prepared.js';
import type { Store } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';
import { programLanes } from './lane.js';

/** The questions that drivers of lanes ask of the store; each is answered by an index over living processes. */

/**
 * Lanes with something to do: processes that are due, that somebody wants killed, or that were being worked on when
 * their driver ended.
 */
export async function lanesWithWork(store: Store, now: number): Promise<string[]> {
  const lanes = new Set<string>();
  for (const query of lanesBy) {
    for (const { lane } of (await query.run(store, { now })).rows) if (lane !== null) lanes.add(lane);
  }
  return [...lanes].sort();
}

const living = (db: Store) => db.selectFrom('processes').select('lane').distinct().where('lane', 'is not', null);
const lanesBy = [
  new Prepared<{ now: number }, { lane: string | null }>((db, value) =>
    living(db)
      .where('paused', '=', sql.lit(0))
      .where('stage', 'is not', null)
      .where('due_at', '<=', value('now'))
      .where('stage', 'in', ['run', 'parse']),
  ),
  new Prepared<{ now: number }, { lane: string | null }>((db) =>
    living(db).where('paused', '=', sql.lit(0)).where('state', '=', sql.lit('running')),
  ),
  new Prepared<{ now: number }, { lane: string | null }>((db, value) =>
    living(db)
      .where('kill_requested_at', 'is not', null)
      .where('ended_at', 'is', null)
      .where('due_at', '<=', value('now')),
  ),
];

/** A row that is due: most of many are not begun at once, and need not be read whole. */
export type DueRow = Pick<ProcessRow, 'id' | 'stage'>;

/**
 * Rows of a lane that are due and not paused: first those that others called, so that what has begun comes to its end
 * before anything new begins; then the longest due.
 * @param except ids of rows that are being worked on
 */
export async function dueLaneRows(
  store: Store,
  lane: string,
  now: number,
  limit: number,
  except: ReadonlySet<number>,
): Promise<DueRow[]> {
  const called = await due.called.run(store, { lane, now, limit: limit + except.size });
  const found = called.rows.filter(({ id }) => !except.has(id)).slice(0, limit);
  const left = limit - found.length;
  if (left === 0) return found;
  const roots = await due.roots.run(store, { lane, now, limit: left + except.size });
  return [...found, ...roots.rows.filter(({ id }) => !except.has(id)).slice(0, left)];
}

const due = { called: dueWhere('is not'), roots: dueWhere('is') } as const;

function dueWhere(parent: 'is' | 'is not'): Prepared<{ lane: string; now: number; limit: number }, DueRow> {
  return new Prepared((db, value) =>
    db
      .selectFrom('processes')
      .select(['id', 'stage'])
      .where('lane', '=', value('lane'))
      .where('paused', '=', sql.lit(0))
      .where('stage', 'is not', null)
      .where('due_at', '<=', value('now'))
      .where('kill_requested_at', 'is', null)
      .where('stage', 'in', ['run', 'parse'])
      .where('parent_id', parent, null)
      .orderBy('due_at')
      .limit(value('limit')),
  );
}

/** The rows with these ids, in their order, as far as they are still due. */
export async function stillDue(store: Store, ids: readonly number[], now: number): Promise<ProcessRow[]> {
  if (ids.length === 0) return [];
  const rows = await store
    .selectFrom('processes')
    .selectAll()
    .where('id', 'in', ids)
    .where('paused', '=', 0)
    .where('due_at', '<=', now)
    .where('kill_requested_at', 'is', null)
    .execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** When the next row of a lane becomes due. */
export async function nextLaneTime(store: Store, lane: string, now: number): Promise<number | undefined> {
  const { rows } = await nextDue.run(store, { lane, now });
  return rows[0]?.due_at ?? undefined;
}

const nextDue = new Prepared<{ lane: string; now: number }, { due_at: number | null }>((db, value) =>
  db
    .selectFrom('processes')
    .select('due_at')
    .where('lane', '=', value('lane'))
    .where('paused', '=', sql.lit(0))
    .where('stage', 'is not', null)
    .where('due_at', '>', value('now'))
    .orderBy('due_at')
    .limit(1),
);

/** Processes of a lane that somebody wants killed. */
export async function laneKills(store: Store, lane: string, now: number): Promise<ProcessRow[]> {
  const { rows } = await kills.run(store, { lane, now });
  // Who called others comes before them: otherwise it would hear of their ends while it still runs.
  return [...rows].sort((one, other) => one.id - other.id);
}

const kills = new Prepared<{ lane: string; now: number }, ProcessRow>((db, value) =>
  db
    .selectFrom('processes')
    .selectAll()
    .where('lane', '=', value('lane'))
    .where('kill_requested_at', 'is not', null)
    .where('ended_at', 'is', null)
    .where('due_at', '<=', value('now'))
    .where('stage', '=', 'run')
    .orderBy('due_at')
    .limit(256),
);

/** Processes of lanes whose code may be running: at most a few are named. */
export async function runningIn(store: Store, lanes: readonly string[]): Promise<Pick<ProcessRow, 'id' | 'name'>[]> {
  if (lanes.length === 0) return [];
  return store
    .selectFrom('processes')
    .select(['id', 'name'])
    .where('lane', 'in', lanes)
    .where('ended_at', 'is', null)
    .where((row) => row.or([row('state', '=', 'running'), row('stage', '=', 'parse')]))
    .orderBy('id')
    .limit(20)
    .execute();
}

/** Has one of these processes ended? */
export async function endedAmong(store: Store, ids: readonly number[]): Promise<boolean> {
  if (ids.length === 0) return false;
  const ended = store.selectFrom('processes').select('id').where('id', 'in', ids).where('ended_at', 'is not', null);
  return (await ended.limit(1).executeTakeFirst()) !== undefined;
}

/** Lanes of programs in which living processes stand. */
export async function lanesOfPrograms(store: Store): Promise<string[]> {
  const rows = await store
    .selectFrom('processes')
    .select('lane')
    .distinct()
    .where('lane', '>=', programLanes.from)
    .where('lane', '<', programLanes.below)
    .where('ended_at', 'is', null)
    .execute();
  return rows.flatMap(({ lane }) => lane ?? []);
}

/** Children of a process that have not ended. */
export async function livingChildren(store: Store, parentId: number): Promise<ProcessRow[]> {
  return store
    .selectFrom('processes')
    .selectAll()
    .where('parent_id', '=', parentId)
    .where('ended_at', 'is', null)
    .execute();
}
