import type { JobInfo } from '../plugin/scheduler.js';
import { endedJobStates } from '../plugin/scheduler.js';
import type { Store } from '../store/store.js';

const nameOfOurs = /^wherry-\d+-[0-9a-f]+$/;

/**
 * How many jobs of a listing stand in the queue and are not ours: submitted by hand, by another program or another
 * profile. A job of ours whose submission is still being settled is known by its name, and counted elsewhere.
 * @param ids the scheduler's ids of our jobs
 */
export async function countForeignJobs(
  store: Store,
  computerId: number,
  ids: readonly string[],
  listed: ReadonlyMap<string, JobInfo>,
): Promise<number> {
  const ours = new Set(ids);
  const others = [...listed.values()].filter((job) => !endedJobStates.has(job.state) && !ours.has(job.id));
  const named = others.flatMap(({ name }) => (name !== undefined && nameOfOurs.test(name) ? [name] : []));
  if (named.length === 0) return others.length;
  const rows = await store
    .selectFrom('submissions')
    .innerJoin('processes', 'processes.id', 'submissions.process_id')
    .select('submissions.job_name')
    .where('processes.computer_id', '=', computerId)
    .where('processes.stage', 'in', ['submit', 'update'])
    .where('submissions.outcome', 'in', ['intended', 'accepted'])
    .where('submissions.job_name', 'in', named.slice(0, mostNames))
    .execute();
  const settling = new Set(rows.map((row) => row.job_name));
  return others.filter(({ name }) => name === undefined || !settling.has(name)).length;
}

/** Bound of the question to the store; jobs whose submission is being settled are few. */
const mostNames = 1000;
