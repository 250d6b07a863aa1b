import type { Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';

/** Rows of a computer that are due at these stages and not paused, first come first served within a priority. */
export async function dueRows(
  store: Store,
  computerId: number,
  stages: readonly string[],
  now: number,
  limit: number,
  except: readonly number[],
): Promise<ProcessRow[]> {
  let query = store
    .selectFrom('processes')
    .selectAll()
    .where('computer_id', '=', computerId)
    .where('stage', 'in', stages)
    .where('due_at', '<=', now)
    .where('paused', '=', 0)
    .where('kill_requested_at', 'is', null);
  if (except.length > 0) query = query.where('id', 'not in', except);
  return query.orderBy('priority', 'desc').orderBy('due_at').orderBy('id').limit(limit).execute();
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
  except: readonly number[],
): Promise<ProcessRow[]> {
  const rows = await store
    .selectFrom('submissions')
    .innerJoin('processes', 'processes.id', 'submissions.process_id')
    .selectAll('processes')
    .distinct()
    .where('submissions.outcome', '=', 'intended')
    .where('processes.computer_id', '=', computerId)
    .where('processes.stage', '=', 'submit')
    .where('processes.due_at', '<=', now)
    .where('processes.paused', '=', 0)
    .where('processes.kill_requested_at', 'is', null)
    .orderBy('processes.due_at')
    .execute();
  return rows.filter(({ id }) => !except.includes(id)).slice(0, limit);
}

/** Rows of a computer whose job the scheduler has. A paused process is looked after as well: its job runs on. */
export async function rowsInQueue(store: Store, computerId: number): Promise<ProcessRow[]> {
  return store
    .selectFrom('processes')
    .selectAll()
    .where('computer_id', '=', computerId)
    .where('stage', '=', 'update')
    .where('job_id', 'is not', null)
    .orderBy('id')
    .execute();
}

/** Is there a job that should be asked about now? One that is to be killed always is, as often as listings may be. */
export async function pollIsDue(store: Store, computerId: number, now: number): Promise<boolean> {
  const row = await store
    .selectFrom('processes')
    .select('id')
    .where('computer_id', '=', computerId)
    .where('stage', '=', 'update')
    .where((where) => where.or([where('due_at', '<=', now), where('kill_requested_at', '>', 0)]))
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
    .where('kill_requested_at', '>', 0)
    .where('ended_at', 'is', null)
    .execute();
}

/** Computers that have processes which have not ended. */
export async function computersWithWork(store: Store): Promise<number[]> {
  const rows = await store
    .selectFrom('processes')
    .select('computer_id')
    .distinct()
    .where('due_at', 'is not', null)
    .where('computer_id', 'is not', null)
    .execute();
  return rows.map((row) => row.computer_id).filter((id) => id !== null);
}
