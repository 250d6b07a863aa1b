import { randomUUID } from 'node:crypto';
import picomatch from 'picomatch';
import type { Job } from '../config/job.js';
import { InputError } from '../errors.js';
import { ancestorsOf } from '../plugin/paths.js';
import { writeEvents } from '../store/events.js';
import { mapBounded } from '../store/map-bounded.js';
import type { Repository } from '../store/repository.js';
import type { Store, StoreTransaction } from '../store/store.js';
import type { ComputerRow, FileRow, ProcessRow } from '../store/tables.js';
import { excludedRole, sweepPassing } from './passing.js';

/** A job that has been checked, its resources as the scheduler's schema gave them, and where its files are here. */
export interface PreparedJob {
  readonly job: Job;
  readonly computer: ComputerRow;
  readonly files: readonly (InputFile | StoredInput)[];
  /** Default: a new one. Asked for twice with the same, it is stored once. */
  readonly uuid?: string;
  /** Why it shall not begin before somebody plays it. */
  readonly pausedFor?: string;
}

export interface InputFile {
  /** Name in the job's directory. */
  readonly path: string;
  /** Absolute local path. */
  readonly source: string;
  /** Permission bits. */
  readonly mode: number;
}

/** A file whose content the repository has already. */
export type StoredInput = Omit<FileRow, 'process_id' | 'role'>;

/**
 * Stores calcjobs, all of them or none, with their input files in the repository. They are due at once; whichever
 * driver runs next takes them up.
 */
export async function createCalcJobs(
  tools: { readonly store: Store; readonly repository: Repository; readonly now?: () => number },
  jobs: readonly PreparedJob[],
): Promise<ProcessRow[]> {
  const { store, repository, now = Date.now } = tools;
  const stored: Omit<FileRow, 'process_id'>[][] = [];
  const at = now();
  const uuids = jobs.map(({ uuid = randomUUID() }) => uuid);
  for (const [index, { files, job }] of jobs.entries()) {
    const uuid = uuids[index] ?? '';
    if (job.exclude !== undefined) await sweepPassing(tools, at);
    stored.push(await storeFiles(repository, files, { uuid, exclude: job.exclude }));
  }
  return store.transaction().execute(async (transaction) => {
    const rows: ProcessRow[] = [];
    const turns = new Turns(transaction);
    for (const [index, job] of jobs.entries()) {
      const made = { job, uuid: uuids[index] ?? '', files: stored[index] ?? [] };
      rows.push(await insertCalcJob(transaction, made, shellProcess, turns, at));
    }
    return rows;
  });
}

/** What a calcjob is beside its job. */
export interface CalcJobProcess {
  /** Of its definition. */
  readonly name: string;
  readonly version: number;
  readonly parentId: number | null;
  /** Whose driver parses its results; null where no code of a user does. */
  readonly lane: string | null;
  readonly module: string | null;
  readonly fingerprint: string | null;
}

/** The process of a job that somebody wrote down as a job. */
const shellProcess: CalcJobProcess = {
  name: 'shell',
  version: 1,
  parentId: null,
  lane: null,
  module: null,
  fingerprint: null,
};

/** A job with its files in the repository. */
export interface StoredJob {
  readonly job: PreparedJob;
  readonly uuid: string;
  readonly files: readonly Omit<FileRow, 'process_id'>[];
}

/** Stores a calcjob; done twice with the same uuid it is done once. */
export async function insertCalcJob(
  transaction: StoreTransaction,
  { job: { job, computer, pausedFor }, uuid, files: given }: StoredJob,
  { name, version, parentId, lane, module, fingerprint }: CalcJobProcess,
  turns: Turns,
  at: number,
): Promise<ProcessRow> {
  const known = await transaction.selectFrom('processes').selectAll().where('uuid', '=', uuid).executeTakeFirst();
  if (known !== undefined) return known;
  const row = await transaction
    .insertInto('processes')
    .values({
      uuid,
      kind: 'calcjob',
      name,
      version,
      parent_id: parentId,
      lane,
      module,
      fingerprint,
      label: job.label ?? '',
      description: job.description ?? '',
      state: 'created',
      stage: 'upload',
      stage_since: at,
      computer_id: computer.id,
      priority: job.priority,
      turn: await turns.next(computer.id, job.label ?? ''),
      inputs: JSON.stringify(job),
      created_at: at,
      updated_at: at,
      due_at: at,
      ...(pausedFor === undefined ? {} : { paused: 1, paused_reason: pausedFor, paused_at: at }),
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  const pools = Object.entries(job.pools).map(([pool, amount]) => ({ process_id: row.id, pool, amount }));
  if (pools.length > 0) await transaction.insertInto('process_pools').values(pools).execute();
  const files = given.map((file) => ({ ...file, process_id: row.id }));
  for (let start = 0; start < files.length; start += 1000) {
    await transaction
      .insertInto('files')
      .values(files.slice(start, start + 1000))
      .execute();
  }
  await writeEvents(transaction, row.id, at, [
    { type: 'process.created', data: { name: row.name, label: row.label, computer: computer.label } },
    ...(pausedFor === undefined ? [] : [{ type: 'process.paused' as const, data: { reason: pausedFor } }]),
  ]);
  return row;
}

/**
 * Gives each new job the turn after the last one of its label, and a label that is new, or has waited for nothing
 * lately, the turn after the last one that was submitted: where a limit makes jobs wait, labels go one by one.
 */
export class Turns {
  readonly #transaction: StoreTransaction;
  readonly #last = new Map<string, number>();

  constructor(transaction: StoreTransaction) {
    this.#transaction = transaction;
  }

  async next(computerId: number, label: string): Promise<number> {
    const key = `${computerId} ${label}`;
    const turn = (this.#last.get(key) ?? (await this.#stored(computerId, label))) + 1;
    this.#last.set(key, turn);
    return turn;
  }

  async #stored(computerId: number, label: string): Promise<number> {
    const computer = await this.#transaction
      .selectFrom('computers')
      .select('turn')
      .where('id', '=', computerId)
      .executeTakeFirstOrThrow();
    const last = await this.#transaction
      .selectFrom('processes')
      .select('turn')
      .where('computer_id', '=', computerId)
      .where('label', '=', label)
      .where('ended_at', 'is', null)
      .orderBy('turn', 'desc')
      .limit(1)
      .executeTakeFirst();
    return Math.max(computer.turn, last?.turn ?? 0);
  }
}

/**
 * Puts input files into the repository; those that are excluded are kept aside until the process has ended. Errors:
 * `bad-input` for one that cannot be read.
 */
export async function storeFiles(
  repository: Repository,
  files: PreparedJob['files'],
  { uuid, exclude = [] }: { readonly uuid: string; readonly exclude?: readonly string[] | undefined },
): Promise<Omit<FileRow, 'process_id'>[]> {
  const isExcluded = excluder(exclude);
  return mapBounded(files, async (file) => {
    const excluded = isExcluded(file.path);
    const role = excluded ? excludedRole : 'inputs';
    if (!('source' in file)) return { ...file, role };
    try {
      const content = await (excluded ? repository.passing(uuid) : repository).putFile(file.source);
      return { role, path: file.path, ...content, mode: file.mode & 0o777 };
    } catch (error) {
      throw new InputError(`the input file ${file.source} cannot be read`, [], { cause: error });
    }
  });
}

/** Is a file, or a folder above it, named by one of these patterns? */
export function excluder(patterns: readonly string[]): (path: string) => boolean {
  if (patterns.length === 0) return () => false;
  const isMatch = picomatch(
    patterns.map((pattern) => pattern.replace(/\/+$/, '')),
    { dot: true, nonegate: true },
  );
  return (path) => [path, ...ancestorsOf(path)].some((name) => patterns.includes(name) || isMatch(name));
}
