import { whyCleaned } from '../calcjob/cleaned.js';
import { excluder } from '../calcjob/create.js';
import { issueAt, issuesError, type Origin, type Path } from '../config/issues.js';
import type { Job } from '../config/job.js';
import type { InputIssue } from '../errors.js';
import { fromJson, type Store } from '../store/store.js';
import type { ComputerRow } from '../store/tables.js';

/**
 * Checks what a job says of files against the store: processes that it takes files of have ended and left a directory
 * on the same computer, and what is excluded is sent. Throws one InputError.
 */
export async function checkStaging(
  store: Store,
  job: Job,
  computer: ComputerRow,
  files: readonly { readonly path: string }[],
  origin: Origin,
): Promise<void> {
  const issues: InputIssue[] = [];
  for (const [index, pattern] of (job.exclude ?? []).entries()) {
    const isExcluded = excluder([pattern]);
    const none = !files.some(({ path }) => isExcluded(path));
    if (none) issues.push(issueAt(origin, ['exclude', index], `${JSON.stringify(pattern)} is no input file`));
  }
  for (const { id, path, stash } of processesIn(job)) {
    const problem = await problemOf(store, id, computer, stash);
    if (problem !== undefined) issues.push(issueAt(origin, path, `process ${id} ${problem}`));
  }
  for (const { place, path } of pathsIn(job)) {
    const cleaned = await whyCleaned(store, computer.id, place);
    if (cleaned !== undefined) issues.push(issueAt(origin, path, cleaned));
  }
  if (issues.length > 0) throw issuesError(origin.source, issues);
}

interface UsedProcess {
  readonly id: number;
  readonly path: Path;
  /** Is it what the process has stashed, and not its directory? */
  readonly stash: boolean;
}

function processesIn({ unstash, ...job }: Job): UsedProcess[] {
  const used: UsedProcess[] = (['remoteCopy', 'remoteSymlink'] as const).flatMap((key) =>
    (job[key] ?? []).flatMap(({ from }, index) =>
      typeof from === 'string' ? [] : [{ id: from.process, path: [key, index, 'from', 'process'], stash: false }],
    ),
  );
  if (typeof unstash?.from !== 'number') return used;
  return [...used, { id: unstash.from, path: ['unstash', 'from'], stash: true }];
}

/** Absolute places on the computer that it takes something of. */
function pathsIn({ remoteFolder, remoteCopy = [], remoteSymlink = [] }: Job): { place: string; path: Path }[] {
  const places = Object.entries({ remoteCopy, remoteSymlink }).flatMap(([key, entries]) =>
    entries.flatMap(({ from }, index) =>
      typeof from === 'string' ? [{ place: from, path: [key, index, 'from'] }] : [],
    ),
  );
  return remoteFolder === undefined ? places : [...places, { place: remoteFolder, path: ['remoteFolder'] }];
}

async function problemOf(store: Store, id: number, computer: ComputerRow, stash: boolean): Promise<string | undefined> {
  const row = await store
    .selectFrom('processes')
    .select(['computer_id', 'remote_directory', 'ended_at', 'outputs'])
    .where('id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return 'does not exist';
  if (row.computer_id !== computer.id) return `did not run on ${computer.label}`;
  if (row.ended_at === null) return 'has not ended';
  if (stash) return fromJson<{ stash?: unknown }>(row.outputs)?.stash === undefined ? 'has stashed nothing' : undefined;
  if (row.remote_directory === null) return 'has left no directory on the computer';
  const cleaned = await whyCleaned(store, computer.id, id);
  return cleaned === undefined ? undefined : `has no files there any more: ${cleaned}`;
}
