import { sql } from 'kysely';
import { type QueuedRow, queuedColumns } from '../calcjob/update.js';
import type { Store, StoreTransaction } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';

/**
 * The questions that drivers ask of the store again and again. Each is answered by an index that holds living processes
 * only (see the migrations), so that neither a long history nor a hundred thousand waiting rows make a step slow. The
 * conditions of those indexes are written as literals: a parameter would keep SQLite from using them.
 */

/** Rows of a computer that are due at one of these stages and not paused: by priority, then the longest due first. */
export async function dueRows(
  store: Store,
  computerId: number,
  stages: readonly string[],
  now: number,
  limit: number,
  except: ReadonlySet<number>,
): Promise<ProcessRow[]> {
  const found: ProcessRow[] = [];
  for (const stage of stages) {
    const rows = await ordered(store, computerId, stage, now)
      .limit(limit + except.size)
      .execute();
    found.push(...rows.filter(({ id }) => !except.has(id)));
  }
  found.sort((a, b) => b.priority - a.priority || (a.due_at ?? 0) - (b.due_at ?? 0) || a.id - b.id);
  return found.slice(0, limit);
}

/**
 * Rows that may be submitted next, in their order: by priority, then in turn, so that labels share fairly.
 * @param fullPools pools of the computer that are used up: rows that take of them are passed over
 */
export async function rowsToSubmit(
  store: Store,
  computerId: number,
  now: number,
  limit: number,
  except: ReadonlySet<number>,
  fullPools: readonly string[],
): Promise<ProcessRow[]> {
  let query = ordered(store, computerId, 'submit', now);
  for (const pool of fullPools) {
    const takesNone = sql<boolean>`exists
      (select 1 from process_pools where process_id = processes.id and pool = ${pool} and amount = 0)`;
    query = query.where(takesNone);
  }
  const rows = await query.limit(limit + except.size).execute();
  return rows.filter(({ id }) => !except.has(id)).slice(0, limit);
}

function ordered(store: Store, computerId: number, stage: string, now: number) {
  return store
    .selectFrom('processes')
    .selectAll()
    .where('computer_id', '=', computerId)
    .where('stage', '=', stage)
    .where('paused', '=', sql.lit(0))
    .where('due_at', '<=', now)
    .where('kill_requested_at', 'is', null)
    .orderBy('priority', 'desc')
    .orderBy('turn')
    .orderBy('id');
}

/**
 * Due rows whose last submission may have reached the scheduler. Each takes up its place among the queued jobs already,
 * so that none of them may wait for a place: where they take up all, nobody would ever find out and free one.
 */
export async function unsettledRows(
  store: Store,
  computerId: number,
  now: number,
  limit: number,
  except: ReadonlySet<number>,
): Promise<ProcessRow[]> {
  const rows = await store
    .selectFrom('submissions')
    .innerJoin('processes', 'processes.id', 'submissions.process_id')
    .selectAll('processes')
    .distinct()
    .where('submissions.outcome', '=', sql.lit('intended'))
    .where('processes.computer_id', '=', computerId)
    .where('processes.stage', '=', 'submit')
    .where('processes.due_at', '<=', now)
    .where('processes.paused', '=', 0)
    .where('processes.kill_requested_at', 'is', null)
    .orderBy('processes.due_at')
    .execute();
  return rows.filter(({ id }) => !except.has(id)).slice(0, limit);
}

/**
 * Rows of a computer whose job the scheduler has, by id, a page at a time. A paused process is looked after as well:
 * its job runs on.
 * @param after the last id of the page before
 */
export async function queuedRows(store: Store, computerId: number, after: number, limit: number): Promise<QueuedRow[]> {
  return store
    .selectFrom('processes')
    .select(queuedColumns)
    .where('computer_id', '=', computerId)
    .where('stage', '=', sql.lit('update'))
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** The jobs that the scheduler has of a computer. */
export async function queuedJobIds(store: Store, computerId: number): Promise<string[]> {
  const rows = await store
    .selectFrom('processes')
    .select('job_id')
    .where('computer_id', '=', computerId)
    .where('stage', '=', sql.lit('update'))
    .execute();
  return rows.map((row) => row.job_id).filter((id) => id !== null);
}

/** Does the scheduler have a job of this computer? */
export async function hasQueuedRows(store: Store, computerId: number): Promise<boolean> {
  return (await queuedRows(store, computerId, 0, 1)).length > 0;
}

/** Was a job of this computer submitted at this time or later? */
export async function hasSubmissionSince(store: Store, computerId: number, since: number): Promise<boolean> {
  const row = await store
    .selectFrom('processes')
    .select('id')
    .where('computer_id', '=', computerId)
    .where('stage', '=', sql.lit('update'))
    .where('stage_since', '>=', since)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Living processes that somebody wants killed. */
export async function killIntents(store: Store, computerId: number): Promise<ProcessRow[]> {
  return store
    .selectFrom('processes')
    .selectAll()
    .where('computer_id', '=', computerId)
    .where('kill_requested_at', 'is not', null)
    .where('ended_at', 'is', null)
    .execute();
}

/** When the next row of a computer becomes due that is not due yet; jobs of the scheduler are due with the listing. */
export async function nextDueTime(store: Store, computerId: number, now: number): Promise<number | undefined> {
  const times: number[] = [];
  for (const stage of ['upload', 'submit', 'retrieve', 'parse']) {
    const row = await store
      .selectFrom('processes')
      .select('due_at')
      .where('computer_id', '=', computerId)
      .where('stage', '=', stage)
      .where('paused', '=', sql.lit(0))
      .where('due_at', '>', now)
      .orderBy('due_at')
      .limit(1)
      .executeTakeFirst();
    if (row?.due_at !== undefined && row.due_at !== null) times.push(row.due_at);
  }
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Computers with something to do: processes that may go on, jobs in a queue, wishes to kill. */
export async function computersWithWork(store: Store | StoreTransaction): Promise<number[]> {
  const rows = await store
    .selectFrom('computers')
    .select('id')
    .where(
      sql<boolean>`exists (select 1 from processes where computer_id = computers.id and stage is not null and paused = 0)
        or exists (select 1 from processes where computer_id = computers.id and stage = 'update')
        or exists (select 1 from processes where computer_id = computers.id and kill_requested_at is not null and ended_at is null)`,
    )
    .execute();
  return rows.map((row) => row.id);
}
