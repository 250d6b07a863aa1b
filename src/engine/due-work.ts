import { setImmediate as nextTurn } from 'node:timers/promises';
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
  const found: Pick<ProcessRow, 'id' | 'priority' | 'due_at'>[] = [];
  for (const stage of stages) {
    let query = ordered(store, computerId, stage, now).select(['id', 'priority', 'due_at']);
    // What code of a user reads is read by the driver of its lane.
    if (stage === 'parse') query = query.where('lane', 'is', null);
    const rows = await query.limit(limit + except.size).execute();
    found.push(...rows.filter(({ id }) => !except.has(id)));
  }
  found.sort((a, b) => b.priority - a.priority || (a.due_at ?? 0) - (b.due_at ?? 0) || a.id - b.id);
  return wholeRows(store, found.slice(0, limit));
}

/** Only those that are worked on next are read with their inputs. */
async function wholeRows(store: Store, chosen: readonly { readonly id: number }[]): Promise<ProcessRow[]> {
  if (chosen.length === 0) return [];
  const ids = chosen.map(({ id }) => id);
  const rows = await store.selectFrom('processes').selectAll().where('id', 'in', ids).execute();
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []);
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
  let query = ordered(store, computerId, 'submit', now).select('id');
  for (const pool of fullPools) {
    const takesNone = sql<boolean>`exists
      (select 1 from process_pools where process_id = processes.id and pool = ${pool} and amount = 0)`;
    query = query.where(takesNone);
  }
  const rows = await query.limit(limit + except.size).execute();
  return wholeRows(store, rows.filter(({ id }) => !except.has(id)).slice(0, limit));
}

function ordered(store: Store, computerId: number, stage: string, now: number) {
  return (
    store
      .selectFrom('processes')
      .where('computer_id', '=', computerId)
      .where('stage', '=', stage)
      .where('paused', '=', sql.lit(0))
      // The sign keeps the database from choosing the index by time, which would have to be sorted.
      .where(sql<boolean>`+due_at <= ${now}`)
      .where('kill_requested_at', 'is', null)
      .orderBy('priority', 'desc')
      .orderBy('turn')
      .orderBy('id')
  );
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
    .select(['processes.id', 'processes.due_at'])
    .distinct()
    .where('submissions.outcome', '=', sql.lit('intended'))
    // Found from the few submissions that are open, not from all that wait.
    .where(sql<boolean>`+processes.computer_id = ${computerId}`)
    .where('processes.stage', '=', 'submit')
    .where('processes.due_at', '<=', now)
    .where('processes.paused', '=', 0)
    .where('processes.kill_requested_at', 'is', null)
    .orderBy('processes.due_at')
    .execute();
  return wholeRows(store, rows.filter(({ id }) => !except.has(id)).slice(0, limit));
}

/**
 * Rows of a computer whose job the scheduler has, by id, a page at a time. A paused process is looked after as well:
 * its job runs on.
 * @param after the last id of the page before
 */
export async function queuedRows(store: Store, computerId: number, after: number, limit: number): Promise<QueuedRow[]> {
  return queued(store, computerId, after).select(queuedColumns).limit(limit).execute();
}

/** The scheduler's ids of the jobs of a computer, read a page at a time so that nothing else has to wait for long. */
export async function queuedJobIds(store: Store, computerId: number): Promise<string[]> {
  const ids: string[] = [];
  for (let last = 0; ; await nextTurn()) {
    const rows = await queued(store, computerId, last).select(['id', 'job_id']).limit(2_000).execute();
    for (const { job_id } of rows) if (job_id !== null) ids.push(job_id);
    last = rows.at(-1)?.id ?? last;
    if (rows.length < 2_000) return ids;
  }
}

function queued(store: Store, computerId: number, after: number) {
  return store
    .selectFrom('processes')
    .where('computer_id', '=', computerId)
    .where('stage', '=', sql.lit('update'))
    .where('id', '>', after)
    .orderBy('id');
}

/** Does the scheduler have a job of this computer? */
export async function hasQueuedRows(store: Store, computerId: number): Promise<boolean> {
  return (await queued(store, computerId, 0).select('id').limit(1).execute()).length > 0;
}

/** Living processes that somebody wants killed, those first whose turn it is; never so many that they take up all. */
export async function killIntents(store: Store, computerId: number): Promise<ProcessRow[]> {
  return store
    .selectFrom('processes')
    .selectAll()
    .where('computer_id', '=', computerId)
    .where('kill_requested_at', 'is not', null)
    .where('ended_at', 'is', null)
    .orderBy('due_at')
    .limit(killsAtOnce)
    .execute();
}

const killsAtOnce = 64;

/** When the next row of a computer becomes due that is not due yet; jobs of the scheduler are due with the listing. */
export async function nextDueTime(store: Store, computerId: number, now: number): Promise<number | undefined> {
  const times: number[] = [];
  for (const stage of ['upload', 'gather', 'submit', 'stash', 'retrieve', 'parse']) {
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
  const cleaning = await store
    .selectFrom('cleanings')
    .select('due_at')
    .where('computer_id', '=', computerId)
    .where('due_at', 'is not', null)
    .where('due_at', '>', now)
    .orderBy('due_at')
    .limit(1)
    .executeTakeFirst();
  if (cleaning?.due_at !== undefined && cleaning.due_at !== null) times.push(cleaning.due_at);
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Computers with something to do: processes that may go on, jobs in a queue, wishes to kill, directories to remove. */
export async function computersWithWork(store: Store | StoreTransaction): Promise<number[]> {
  const rows = await store
    .selectFrom('computers')
    .select('id')
    .where(
      sql<boolean>`exists (select 1 from processes where computer_id = computers.id and stage is not null and paused = 0)
        or exists (select 1 from processes where computer_id = computers.id and stage = 'update')
        or exists (select 1 from processes where computer_id = computers.id and kill_requested_at is not null and ended_at is null)
        or exists (select 1 from cleanings where computer_id = computers.id and due_at is not null)`,
    )
    .execute();
  return rows.map((row) => row.id);
}
