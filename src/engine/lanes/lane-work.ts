import { sql } from 'kysely';
import type { Store } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';
import { programLanes } from './lane.js';

/** The questions that drivers of lanes ask of the store; each is answered by an index over living processes. */

/**
 * Lanes with something to do: processes that are due, that somebody wants killed, or that were being worked on when
 * their driver ended.
 */
export async function lanesWithWork(store: Store, now: number): Promise<string[]> {
  const living = () => store.selectFrom('processes').select('lane').distinct().where('lane', 'is not', null);
  const ready = living().where('paused', '=', sql.lit(0));
  const queries = [
    ready.where('stage', 'is not', null).where('due_at', '<=', now).where('stage', 'in', ['run', 'parse']),
    ready.where('state', '=', sql.lit('running')),
    living().where('kill_requested_at', 'is not', null).where('ended_at', 'is', null).where('due_at', '<=', now),
  ];
  const lanes = new Set<string>();
  for (const query of queries) for (const { lane } of await query.execute()) if (lane !== null) lanes.add(lane);
  return [...lanes].sort();
}

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
): Promise<ProcessRow[]> {
  const due = (most: number) =>
    store
      .selectFrom('processes')
      .selectAll()
      .where('lane', '=', lane)
      .where('paused', '=', sql.lit(0))
      .where('stage', 'is not', null)
      .where('due_at', '<=', now)
      .where('kill_requested_at', 'is', null)
      .where('stage', 'in', ['run', 'parse'])
      .orderBy('due_at')
      .limit(most + except.size);
  const called = await due(limit).where('parent_id', 'is not', null).execute();
  const found = called.filter(({ id }) => !except.has(id)).slice(0, limit);
  const left = limit - found.length;
  if (left === 0) return found;
  const roots = await due(left).where('parent_id', 'is', null).execute();
  return [...found, ...roots.filter(({ id }) => !except.has(id)).slice(0, left)];
}

/** When the next row of a lane becomes due. */
export async function nextLaneTime(store: Store, lane: string, now: number): Promise<number | undefined> {
  const row = await store
    .selectFrom('processes')
    .select('due_at')
    .where('lane', '=', lane)
    .where('paused', '=', sql.lit(0))
    .where('stage', 'is not', null)
    .where('due_at', '>', now)
    .orderBy('due_at')
    .limit(1)
    .executeTakeFirst();
  return row?.due_at ?? undefined;
}

/** Processes of a lane that somebody wants killed. */
export async function laneKills(store: Store, lane: string, now: number): Promise<ProcessRow[]> {
  return store
    .selectFrom('processes')
    .selectAll()
    .where('lane', '=', lane)
    .where('kill_requested_at', 'is not', null)
    .where('ended_at', 'is', null)
    .where('due_at', '<=', now)
    .where('stage', '=', 'run')
    .orderBy('due_at')
    .limit(256)
    .execute();
}

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
