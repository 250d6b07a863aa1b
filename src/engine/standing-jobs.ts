import { type RawBuilder, sql } from 'kysely';
import type { Store, StoreTransaction } from '../store/store.js';

/** How many jobs of ours stand on a computer: submitted, or intended and not known. */
export function standingJobs(store: Store | StoreTransaction, computerId: number): Promise<number> {
  return sumOverStanding(store, [computerId], sql<number>`1`);
}

/** A sum over the jobs of ours that stand on these computers. */
export async function sumOverStanding(
  store: Store | StoreTransaction,
  computerIds: readonly number[],
  amount: RawBuilder<number>,
): Promise<number> {
  const sum = sql<number>`coalesce(sum(${amount}), 0)`.as('sum');
  const submitted = await store
    .selectFrom('processes')
    .select(sum)
    .where('computer_id', 'in', computerIds)
    .where('stage', '=', sql.lit('update'))
    .executeTakeFirstOrThrow();
  const intended = await store
    .selectFrom('submissions')
    .innerJoin('processes', 'processes.id', 'submissions.process_id')
    .select(sum)
    .where('submissions.outcome', '=', sql.lit('intended'))
    .where('processes.computer_id', 'in', computerIds)
    .where('processes.stage', '=', 'submit')
    .executeTakeFirstOrThrow();
  return Number(submitted.sum) + Number(intended.sum);
}
