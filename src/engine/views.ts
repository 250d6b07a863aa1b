import { cleaningOf, isRefused } from '../calcjob/cleaned.js';
import { programsOf } from '../calcjob/programs.js';
import type { Job } from '../config/job.js';
import { WherryError } from '../errors.js';
import type { JobInfo } from '../plugin/scheduler.js';
import { placeInStack } from '../process/modules/place-in-stack.js';
import { eventsOf } from '../store/events.js';
import { fromJson, type Store } from '../store/store.js';
import type { CleaningRow, ComputerRow, EventRow, FileRow, ProcessRow, SubmissionRow } from '../store/tables.js';
import { type DataPiece, dataViews, type FileView } from './data-views.js';
import { type StageTiming, stageTimings } from './stage-timings.js';

/** What `ps --json` tells of a process. Times are ISO 8601; what is not known is null. */
export interface ProcessSummary {
  readonly id: number;
  readonly uuid: string;
  readonly type: string;
  readonly name: string;
  readonly label: string;
  readonly state: string;
  readonly stage: string | null;
  readonly paused: boolean;
  readonly pausedReason: string | null;
  readonly pausedAt: string | null;
  readonly exitStatus: number | null;
  readonly exitLabel: string | null;
  readonly exitMessage: string | null;
  readonly computer: string | null;
  readonly jobId: string | null;
  readonly schedulerState: string | null;
  readonly schedulerReason: string | null;
  readonly waitingFor: string | null;
  readonly waitingSince: string | null;
  readonly priority: number;
  readonly killRequestedAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly endedAt: string | null;
}

/** Adds to the summary everything that is known of one process: `show --json`. */
export interface ProcessDetails extends ProcessSummary {
  readonly description: string;
  readonly inputs: {
    /** What is run; empty for several codes, which stand in the options. */
    readonly command: readonly string[];
    readonly stdin: string | null;
    readonly files: readonly FileView[];
    /** Sent, and not kept here. */
    readonly excluded: readonly FileView[];
  };
  readonly outputs: (Record<string, unknown> & { readonly files: readonly FileView[] }) | null;
  readonly options: Omit<Job, 'command' | 'stdin' | 'files' | 'label' | 'description' | 'computer'>;
  /** What it took and gave as data: that of processes with a definition, under dotted names. */
  readonly data: { readonly inputs: readonly DataPiece[]; readonly outputs: readonly DataPiece[] };
  /** Was its job run by others, so that only its results were taken? */
  readonly imported: boolean;
  /** Who called it. */
  readonly parent: number | null;
  /** What it called, in that order; of many the first thousand. */
  readonly children: readonly ChildView[];
  /** Where its definition is found; null when it is built in, or only its program knew it. */
  readonly module: string | null;
  /** The equal process whose outputs it took over. */
  readonly cachedFrom: number | null;
  readonly attempts: readonly AttemptView[];
  readonly timings: readonly StageTiming[];
  readonly remoteDirectory: string | null;
  /** The removal of that directory; null when nobody has asked for it. */
  readonly cleaning: CleaningView | null;
  readonly accounting: JobInfo | null;
  readonly exception:
    | (Trouble & {
        /** Where in the code of a user, as `path:line:column`; null when nobody knows. */
        readonly place: string | null;
      })
    | null;
  /** The last failure of the present stage, and how many there were in a row. */
  readonly lastError: Trouble | null;
  readonly failedAttempts: number;
}

interface Trouble {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** What became of the wish to remove a directory. */
export interface CleaningView {
  /** `refused`: it was not touched; `failed`: it was given up. */
  readonly outcome: 'waiting' | 'cleaned' | 'refused' | 'failed';
  readonly requestedAt: string;
  /** The workflow that asked for it; null where a person did. */
  readonly requestedBy: number | null;
  readonly cleanedAt: string | null;
  /** When it is tried next. */
  readonly nextAt: string | null;
  /** The last failure. */
  readonly failure: { readonly code: string; readonly message: string; readonly hint?: string } | null;
}

/** A process that another called. */
export interface ChildView {
  readonly id: number;
  readonly name: string;
  readonly label: string;
  readonly state: string;
  readonly exitStatus: number | null;
}

/** One submission to the scheduler. */
export interface AttemptView {
  readonly attempt: number;
  readonly jobName: string;
  readonly outcome: string;
  readonly jobId: string | null;
  readonly message: string | null;
  readonly intendedAt: string;
  readonly resolvedAt: string | null;
}

/** The columns that a summary is made of: never the large ones, so that lists stay cheap. */
export const summaryColumns = [
  'id',
  'uuid',
  'kind',
  'name',
  'label',
  'state',
  'stage',
  'paused',
  'paused_reason',
  'paused_at',
  'exit_status',
  'exit_label',
  'exit_message',
  'exception',
  'computer_id',
  'job_id',
  'scheduler_state',
  'scheduler_reason',
  'waiting_for',
  'waiting_since',
  'priority',
  'kill_requested_at',
  'created_at',
  'updated_at',
  'ended_at',
] as const satisfies readonly (keyof ProcessRow)[];
export type SummaryRow = Pick<ProcessRow, (typeof summaryColumns)[number]>;

/** As much of a summary as fits a line of a list. */
export type ProcessLine = Pick<
  ProcessSummary,
  | 'id'
  | 'name'
  | 'label'
  | 'state'
  | 'stage'
  | 'paused'
  | 'exitStatus'
  | 'exitMessage'
  | 'computer'
  | 'jobId'
  | 'waitingFor'
  | 'createdAt'
  | 'endedAt'
>;

/** The columns that a line is made of: lists of many thousands are read in one go. */
export const lineColumns = [
  'id',
  'name',
  'label',
  'state',
  'stage',
  'paused',
  'paused_reason',
  'exit_status',
  'exit_message',
  'exception',
  'computer_id',
  'job_id',
  'waiting_for',
  'kill_requested_at',
  'created_at',
  'ended_at',
] as const satisfies readonly (keyof ProcessRow)[];
export type LineRow = Pick<ProcessRow, (typeof lineColumns)[number]>;

/** What a summary needs to know of computers: by id. */
export type ComputerNames = ReadonlyMap<number, ComputerName>;
type ComputerName = Pick<ComputerRow, 'label' | 'hold' | 'throttle' | 'draining_since'> & {
  /** Is it left alone for a while because it could not be reached? */
  readonly unreachable: boolean;
};

/** The names of all computers, and what keeps them from being spoken to now. */
export async function computerNames(store: Store, now = Date.now()): Promise<ComputerNames> {
  const rows = await store
    .selectFrom('computers')
    .select(['id', 'label', 'hold', 'throttle', 'draining_since', 'open_after'])
    .execute();
  return new Map(rows.map((row) => [row.id, { ...row, unreachable: (row.open_after ?? 0) > now }]));
}

/** A row of the store as other programs see it. */
export function summaryOf(row: SummaryRow, computers: ComputerNames): ProcessSummary {
  const { id, ...line } = lineOf(row, computers);
  return {
    id,
    uuid: row.uuid,
    type: row.kind,
    ...line,
    pausedReason: row.paused_reason,
    pausedAt: isoTime(row.paused_at),
    exitLabel: row.exit_label,
    schedulerState: row.scheduler_state,
    schedulerReason: row.scheduler_reason,
    waitingSince: isoTime(row.waiting_since),
    priority: row.priority,
    killRequestedAt: isoTime(row.kill_requested_at),
    updatedAt: isoTime(row.updated_at),
  };
}

/** As much of a row as fits a line of a list. */
export function lineOf(row: LineRow, computers: ComputerNames): ProcessLine {
  const computer = row.computer_id === null ? undefined : computers.get(row.computer_id);
  const exception = fromJson<{ message: string }>(row.exception);
  return {
    id: row.id,
    name: row.name,
    label: row.label,
    state: row.state,
    stage: row.stage,
    paused: row.paused !== 0,
    exitStatus: row.exit_status,
    exitMessage: row.exit_message ?? exception?.message ?? null,
    computer: computer?.label ?? null,
    jobId: row.job_id,
    waitingFor: waitingFor(row, computer),
    createdAt: isoTime(row.created_at),
    endedAt: isoTime(row.ended_at),
  };
}

/** What a process waits for, in one line; `explain` tells more. */
function waitingFor(row: LineRow, computer: ComputerName | undefined): string | null {
  if (row.ended_at !== null) return null;
  if (row.paused !== 0) return `play: ${row.paused_reason ?? 'paused'}`;
  const hold = fromJson<{ message: string }>(computer?.hold ?? null);
  if (hold !== undefined && row.stage !== 'parse') return `${computer?.label} is held: ${hold.message}`;
  if (computer?.unreachable && row.stage !== 'parse') return `${computer.label}, which could not be reached`;
  if (row.waiting_for !== null) return row.waiting_for;
  if (row.kill_requested_at !== null) return 'being killed';
  const isNew = row.stage === 'upload' || row.stage === 'gather' || row.stage === 'submit';
  if (isNew && typeof computer?.draining_since === 'number') return `${computer.label} is being drained`;
  return row.stage === 'submit' ? (fromJson<{ reason: string }>(computer?.throttle ?? null)?.reason ?? null) : null;
}

/** Everything that is known of one process. */
export async function processDetails(store: Store, row: ProcessRow): Promise<ProcessDetails> {
  const files = await store.selectFrom('files').selectAll().where('process_id', '=', row.id).orderBy('path').execute();
  const submissions = await store
    .selectFrom('submissions')
    .selectAll()
    .where('process_id', '=', row.id)
    .orderBy('attempt')
    .execute();
  const events: EventRow[] = await eventsOf(store, row.id);
  const job = fromJson<Job>(row.inputs);
  const { command: _, stdin, files: _files, label, description, computer, ...options } = job ?? ({} as Partial<Job>);
  const outputs = fromJson<Record<string, unknown>>(row.outputs);
  const brought = filesOf(files, 'outputs');
  const computers = await computerNames(store);
  const ids = new Map([...computers].map(([id, { label: name }]) => [name, id]));
  return {
    ...summaryOf(row, computers),
    description: row.description,
    inputs: {
      ...{ command: commandOf(job), stdin: stdin ?? null },
      ...{ files: filesOf(files, 'inputs'), excluded: filesOf(files, 'excluded') },
    },
    outputs: outputs === undefined && brought.length === 0 ? null : { ...outputs, files: brought },
    options: options as ProcessDetails['options'],
    data: {
      inputs: await dataViews(store, row.id, 'inputs', ids),
      outputs: await dataViews(store, row.id, 'outputs', ids),
    },
    imported: job?.remoteFolder !== undefined,
    parent: row.parent_id,
    children: await childrenOf(store, row.id),
    module: row.module,
    cachedFrom: row.cached_from,
    attempts: submissions.map(attemptView),
    timings: stageTimings(row, events),
    remoteDirectory: row.remote_directory,
    cleaning: cleaningView(await cleaningOf(store, row.id)),
    accounting: fromJson<JobInfo>(row.job_info) ?? null,
    exception: exceptionView(row.exception),
    lastError: withoutStack(row.last_error),
    failedAttempts: row.attempts,
  };
}

/** The removal of a directory as other programs see it. */
export function cleaningView(cleaning: CleaningRow | undefined): CleaningView | null {
  if (cleaning === undefined) return null;
  const { cleaned_at, due_at } = cleaning;
  const ended = cleaned_at !== null ? 'cleaned' : isRefused(cleaning) ? 'refused' : 'failed';
  return {
    outcome: due_at === null ? ended : 'waiting',
    requestedAt: isoTime(cleaning.requested_at),
    requestedBy: cleaning.requested_by,
    cleanedAt: isoTime(cleaned_at),
    nextAt: isoTime(due_at),
    failure: withoutStack(cleaning.failure),
  };
}

async function childrenOf(store: Store, id: number): Promise<ChildView[]> {
  const rows = await store
    .selectFrom('processes')
    .select(['id', 'name', 'label', 'state', 'exit_status'])
    .where('parent_id', '=', id)
    .orderBy('id')
    .limit(1_000)
    .execute();
  return rows.map(({ exit_status, ...child }) => ({ ...child, exitStatus: exit_status }));
}

/** Everything that is known of one process, by its number. Errors: `not-found`. */
export async function getProcess({ store }: { readonly store: Store }, id: number): Promise<ProcessDetails> {
  const row = await store.selectFrom('processes').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) throw new WherryError('not-found', `there is no process ${id}`);
  return processDetails(store, row);
}

function commandOf(job: Job | undefined): readonly string[] {
  if (job?.codeDefinitions === undefined) return job?.command ?? [];
  const [program, ...others] = programsOf(job);
  return program === undefined || others.length > 0 ? [] : program.words;
}

function filesOf(files: readonly FileRow[], role: string): FileView[] {
  return files
    .filter((file) => file.role === role)
    .map(({ path, size, sha256, mode }) => ({ path, size: Number(size), sha256, mode }));
}

function attemptView(row: SubmissionRow): AttemptView {
  return {
    attempt: row.attempt,
    jobName: row.job_name,
    outcome: row.outcome,
    jobId: row.job_id,
    message: row.message,
    intendedAt: isoTime(row.intended_at) ?? '',
    resolvedAt: isoTime(row.resolved_at),
  };
}

function exceptionView(text: string | null): ProcessDetails['exception'] {
  const trouble = withoutStack(text);
  const { stack = '' } = fromJson<{ readonly stack?: string }>(text) ?? {};
  return trouble === null ? null : { ...trouble, place: placeInStack(stack) ?? null };
}

function withoutStack(text: string | null): Trouble | null {
  const stored = fromJson<{ code: string; message: string; hint?: string }>(text);
  if (stored === undefined) return null;
  const { code, message, hint } = stored;
  return { code, message, ...(hint === undefined ? {} : { hint }) };
}

/** ISO 8601 of milliseconds since the epoch. */
export function isoTime(milliseconds: number): string;
export function isoTime(milliseconds: number | null): string | null;
export function isoTime(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(Number(milliseconds)).toISOString();
}
