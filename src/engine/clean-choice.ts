import { isOwnDirectory } from '../calcjob/job-directory.js';
import type { Store } from '../store/store.js';
import type { CleaningRow, ProcessRow } from '../store/tables.js';

/** Which ended calcjobs are meant. */
export interface CleanFilter {
  /** Ids of computers; all when empty. */
  readonly computers: readonly number[];
  /** They ended before, or after, this time, in milliseconds since the epoch. */
  readonly before?: number | undefined;
  readonly after?: number | undefined;
  /** All when empty. What was killed or is excepted has none. */
  readonly exitStatuses: readonly number[];
}

/** As much of a calcjob as bears on its directory. */
export type Cleanable = Pick<ProcessRow, 'id' | 'uuid' | 'label' | 'computer_id' | 'remote_directory'>;

/** The ended calcjobs that fit a filter and have a directory that Wherry has made and nobody has removed; by id. */
export async function cleanableJobs(store: Store, filter: CleanFilter): Promise<Cleanable[]> {
  let query = store
    .selectFrom('processes')
    .leftJoin('cleanings', 'cleanings.process_id', 'processes.id')
    .select(['processes.id', 'uuid', 'label', 'processes.computer_id', 'remote_directory'])
    .where('kind', '=', 'calcjob')
    .where('ended_at', 'is not', null)
    .where('remote_directory', 'is not', null)
    .where('cleaned_at', 'is', null)
    .orderBy('processes.id');
  if (filter.computers.length > 0) query = query.where('processes.computer_id', 'in', filter.computers);
  if (filter.before !== undefined) query = query.where('ended_at', '<', filter.before);
  if (filter.after !== undefined) query = query.where('ended_at', '>', filter.after);
  if (filter.exitStatuses.length > 0) query = query.where('exit_status', 'in', filter.exitStatuses);
  return (await query.execute()).filter(hasOwnDirectory);
}

/** Has Wherry made its directory? That of an imported run belongs to others. */
export function hasOwnDirectory({ remote_directory, uuid }: Pick<Cleanable, 'remote_directory' | 'uuid'>): boolean {
  return remote_directory !== null && isOwnDirectory(remote_directory, uuid);
}

/** What is known of the removal of the directories of many calcjobs, by their ids. */
export async function cleaningsOf(store: Store, ids: readonly number[]): Promise<Map<number, CleaningRow>> {
  const found = new Map<number, CleaningRow>();
  // Chunks keep the number of bound values below what the databases allow.
  for (let start = 0; start < ids.length; start += 500) {
    const some = ids.slice(start, start + 500);
    const rows = await store.selectFrom('cleanings').selectAll().where('process_id', 'in', some).execute();
    for (const row of rows) found.set(row.process_id, row);
  }
  return found;
}
