import type { ComputerConfig } from '../config/computer.js';
import type { Job } from '../config/job.js';
import type { Stash } from '../config/staging.js';
import { WherryError } from '../errors.js';
import type { JobInfo, SchedulerDefinition } from '../plugin/scheduler.js';
import type { Connection } from '../plugin/transport.js';
import { readCheckpoint, writeCheckpoint } from '../process/checkpoint.js';
import type { ExitCode } from '../process/exit-codes.js';
import type { Lease } from '../store/leases.js';
import type { Repository } from '../store/repository.js';
import type { Store, StoreTransaction } from '../store/store.js';
import type { ComputerRow, ProcessRow } from '../store/tables.js';

/** A computer with its plugin loaded and its options checked. */
export interface CalcJobComputer {
  readonly row: ComputerRow;
  readonly config: ComputerConfig;
  readonly scheduler: SchedulerDefinition;
  /** As the scheduler's `options` schema gave them. */
  readonly schedulerOptions: unknown;
}

/** What a verb needs to do its work on one calcjob. */
export interface CalcJobContext {
  readonly row: ProcessRow;
  readonly job: Job;
  readonly computer: CalcJobComputer;
  readonly connection: Connection;
  readonly store: Store;
  readonly repository: Repository;
  /** Every write carries it. */
  readonly lease: Lease;
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A fresh random word of lower-case hex. */
  readonly nonce: () => string;
  /** Why no submission may be intended now by the limits that several computers share; undefined when it may. */
  readonly refuseEntry: (transaction: StoreTransaction) => Promise<string | undefined>;
}

/** How the job ended, as far as is known, and who said so. */
export interface JobEnd {
  readonly source: 'queue' | 'accounting' | 'exit-file' | 'absence' | 'import';
  readonly info?: JobInfo;
}

/** What a process has stashed: an output of it. */
export interface StashedFiles {
  readonly computer: string;
  /** The folder that holds the files, or the archive. */
  readonly path: string;
  readonly mode: Stash['mode'];
  /** Names and patterns without any file. */
  readonly missing: readonly string[];
}

/** How it went: the files, or why there are none. */
export type StashOutcome = StashedFiles | { readonly failure: string };

/** What a calcjob remembers between verbs beside its columns. */
export interface CalcJobState {
  readonly end?: JobEnd;
  /** Since when, and in how many good listings in a row, the job has been missing. */
  readonly absentSince?: number;
  readonly absentListings?: number;
  /** Plain names that were to be retrieved and do not exist. */
  readonly missing?: readonly string[];
  /** Exit code of the command from the job's own exit file. */
  readonly commandExit?: number;
  /** Are files to be stashed when the job has ended, or what became of that? */
  readonly stash?: 'wanted' | StashOutcome;
  /** How the process ends because nothing could be submitted. */
  readonly refusal?: ExitCode;
}

const checkpointVersion = 1;

export function readState(row: Pick<ProcessRow, 'checkpoint'>): CalcJobState {
  return row.checkpoint === null ? {} : (readCheckpoint(row.checkpoint, checkpointVersion) as CalcJobState);
}

export function writeState(state: CalcJobState): string {
  return writeCheckpoint(checkpointVersion, state);
}

/** Paths relative to the job's directory that belong to Wherry and not to the user. */
export const ownFiles = {
  directory: '.wherry',
  upload: '.wherry/upload',
  script: (attempt: number) => `.wherry/job-${attempt}.sh`,
  marker: (attempt: number) => `.wherry/submission-${attempt}`,
  claim: '.wherry/claim',
  exit: '.wherry/exit',
  schedulerStdout: '.wherry/scheduler-stdout.txt',
  schedulerStderr: '.wherry/scheduler-stderr.txt',
} as const;

/** Milliseconds: without progress for transfers, in all for short commands and for the scheduler's commands. */
export const deadlines = { transfer: 120_000, command: 60_000, scheduler: 90_000 } as const;

/** Where a scheduler's questions are asked. */
export function queryContext(connection: Connection, computer: CalcJobComputer) {
  return {
    user: connection.user,
    workDirectory: workDirectory(connection, computer.config),
    options: computer.schedulerOptions,
  };
}

/** The computer's work directory with `{user}`, `{home}` and a leading `~` filled in. */
export function workDirectory(connection: Connection, config: ComputerConfig): string {
  const filled = config.workDirectory
    .replace(/^~(?=\/|$)/, connection.home)
    .replaceAll('{home}', connection.home)
    .replaceAll('{user}', connection.user);
  return filled.length > 1 ? filled.replace(/\/+$/, '') : filled;
}

/** The job's directory on the computer. */
export function remoteDirectory({ row }: Pick<CalcJobContext, 'row'>): string {
  if (row.remote_directory === null) throw new WherryError('internal', `process ${row.id} has no directory yet`);
  return row.remote_directory;
}
