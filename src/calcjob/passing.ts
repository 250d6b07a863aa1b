import type { Job } from '../config/job.js';
import { WherryError } from '../errors.js';
import type { Transition } from '../process/transition.js';
import { mapBounded } from '../store/map-bounded.js';
import type { Repository } from '../store/repository.js';
import type { Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';

interface Places {
  readonly store: Store;
  readonly repository: Repository;
}

/** Input files that are sent and not kept: only that they were sent is stored for good. */
export const excludedRole = 'excluded';

/**
 * The files that were retrieved for the parser alone: path in the results → local file. They are kept aside between the
 * two verbs, so that the parser of another driver finds them; undefined when they are gone.
 */
export async function locateTemporary(
  row: Pick<ProcessRow, 'id' | 'uuid'>,
  { store, repository }: Places,
): Promise<Record<string, string> | undefined> {
  const stored = await store
    .selectFrom('files')
    .select(['path', 'sha256'])
    .where('process_id', '=', row.id)
    .where('role', '=', 'temporary')
    .execute();
  if (stored.length === 0) return {};
  const place = repository.passing(row.uuid);
  try {
    const located = await mapBounded(stored, async ({ path, sha256 }) => [path, await place.locate(sha256)] as const);
    return Object.fromEntries(located);
  } catch (error) {
    if (error instanceof WherryError && error.code === 'not-found') return undefined;
    throw error;
  }
}

/** Where a process goes whose temporary files are gone. */
export const retrieveAgain: Transition = {
  to: 'waiting',
  stage: 'retrieve',
  events: [
    {
      type: 'process.report',
      data: { level: 'warning', message: 'the temporary files of its parser are gone, and are retrieved again' },
    },
  ],
};

/** Belongs to the end of a process: nothing tells any more of its temporary files. */
export function withoutTemporary(
  row: Pick<ProcessRow, 'id'>,
  job: Pick<Job, 'retrieveTemporary'>,
): Pick<Transition, 'also'> {
  if (job.retrieveTemporary === undefined) return {};
  return {
    also: async (transaction) => {
      await transaction.deleteFrom('files').where('process_id', '=', row.id).where('role', '=', 'temporary').execute();
    },
  };
}

/** Milliseconds after which files that were kept for a while are looked at. */
const leftOver = 86_400_000;

/** Removes what processes have left behind that have ended without their driver, such as those killed by force. */
export async function sweepPassing({ store, repository }: Places, now: number): Promise<void> {
  const uuids = repository.passingBefore(now - leftOver).slice(0, 500);
  if (uuids.length === 0) return;
  const living = await store
    .selectFrom('processes')
    .select('uuid')
    .where('uuid', 'in', uuids)
    .where('ended_at', 'is', null)
    .execute();
  const kept = new Set(living.map(({ uuid }) => uuid));
  for (const uuid of uuids) if (!kept.has(uuid)) await repository.forget(uuid);
}
