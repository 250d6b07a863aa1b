import { sql } from 'kysely';
import type { Store, StoreTransaction } from '../store/store.js';

/** Jobs of ours that stand on the computer: submitted, or intended and not known. */
export async function standingJobs(store: Store | StoreTransaction, computerId: number): Promise<number> {
  const submitted = await store
    .selectFrom('processes')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('computer_id', '=', computerId)
    .where('stage', '=', sql.lit('update'))
    .executeTakeFirstOrThrow();
  const intended = await store
    .selectFrom('submissions')
    .innerJoin('processes', 'processes.id', 'submissions.process_id')
    .select((row) => row.fn.countAll<number>().as('count'))
    .where('submissions.outcome', '=', sql.lit('intended'))
    .where('processes.computer_id', '=', computerId)
    .where('processes.stage', '=', 'submit')
    .executeTakeFirstOrThrow();
  return Number(submitted.count) + Number(intended.count);
}
