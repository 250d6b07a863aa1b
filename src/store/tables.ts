import type { Generated, Insertable, Selectable, Updateable } from 'kysely';

/**
 * The tables of the store. Times are milliseconds since the epoch, flags are 0 or 1, structured values are JSON text:
 * the same types in SQLite and PostgreSQL.
 */
export interface Tables {
  computers: ComputerTable;
  codes: CodeTable;
  processes: ProcessTable;
  submissions: SubmissionTable;
  process_pools: ProcessPoolTable;
  monitors: MonitorTable;
  cleanings: CleaningTable;
  files: FileTable;
  events: EventTable;
  cursors: CursorTable;
  leases: LeaseTable;
  settings: SettingTable;
  data: DataTable;
  data_files: DataFileTable;
  links: LinkTable;
  records: RecordTable;
}

export interface ComputerTable {
  id: Generated<number>;
  uuid: string;
  label: string;
  /** The checked configuration. */
  config: string;
  created_at: number;
  updated_at: number;
  /** When the last connection was begun and the last listing asked for: limits hold across drivers. */
  opened_at: number | null;
  polled_at: number | null;
  /** Consecutive failures to open a connection, and when the next one may be tried. */
  open_failures: Generated<number>;
  open_after: number | null;
  /** Set when only a person can help (login refused, host key): JSON {code, message, hint, since}. Nothing is sent. */
  hold: string | null;
  /** When the next listing is wanted; null: as soon as the interval allows. */
  poll_at: number | null;
  /** Set while nothing new is sent to it and what is there is finished. */
  draining_since: number | null;
  /** The site itself allows no more jobs: JSON {message, refusals, since, after}; one is tried `after` a growing time. */
  site_limit: string | null;
  /** Why the next job is not submitted now: JSON {reason, since}. */
  throttle: string | null;
  /** How many jobs of the user the last listing showed that are not ours, and when that was. */
  foreign_jobs: number | null;
  foreign_at: number | null;
  /** The highest turn that has been submitted: new labels begin there. */
  turn: Generated<number>;
}

/** An executable. Jobs keep what they need of it, so that it may be changed and removed. */
export interface CodeTable {
  id: Generated<number>;
  uuid: string;
  label: string;
  /** Null for one that is sent along with each job. */
  computer_id: number | null;
  /** The checked configuration. */
  config: string;
  /** What is sent along, its content in the repository: a list as JSON. */
  files: string;
  created_at: number;
  updated_at: number;
}

export interface ProcessTable {
  id: Generated<number>;
  uuid: string;
  /** calcjob, workflow or function. */
  kind: string;
  /** Name of the definition, e.g. shell. */
  name: string;
  label: string;
  description: string;
  state: string;
  /** Next verb of a calcjob; null when it has ended. */
  stage: string | null;
  stage_since: number;
  checkpoint: string | null;
  paused: Generated<number>;
  paused_reason: string | null;
  paused_at: number | null;
  /** An intent to kill: set by anybody, carried out by the driver. */
  kill_requested_at: number | null;
  kill_reason: string | null;
  exit_status: number | null;
  exit_label: string | null;
  exit_message: string | null;
  /** Why it is excepted: JSON {code, message, hint, stack}. */
  exception: string | null;
  computer_id: number | null;
  priority: Generated<number>;
  /** Order within a priority: the n-th job of each label has the same turn, so that labels share fairly. */
  turn: Generated<number>;
  inputs: string;
  outputs: string | null;
  remote_directory: string | null;
  job_id: string | null;
  scheduler_state: string | null;
  scheduler_word: string | null;
  scheduler_reason: string | null;
  /** The last JobInfo. */
  job_info: string | null;
  /** What it waits for, as a sentence; null when it is worked on. */
  waiting_for: string | null;
  waiting_since: number | null;
  /** When a driver should look at it next; null when there is nothing to do. */
  due_at: number | null;
  /** Failed attempts of the present stage, and the last error: JSON {code, message, hint, at}. */
  attempts: Generated<number>;
  last_error: string | null;
  created_at: number;
  updated_at: number;
  ended_at: number | null;
  /** The process that called it; a call needs no other link. */
  parent_id: number | null;
  /** Whose driver runs its code: one that all workers share, or that of a single program; null where it has none. */
  lane: string | null;
  /** Where its definition is found, a path or a package; null when it is built in, or only its program knows it. */
  module: string | null;
  /** Of its definition, as it was when the process was made. */
  version: Generated<number>;
  /** Raised with whatever it may have waited for: a sleeper that has seen fewer looks again. */
  wakes: Generated<number>;
  /** Over definition, version and inputs: processes with the same one have the same outputs. Null: never reused. */
  fingerprint: string | null;
  /** The equal process whose outputs it took over. */
  cached_from: number | null;
}

/** One intended submission: written before the scheduler is asked. */
export interface SubmissionTable {
  id: Generated<number>;
  process_id: number;
  attempt: number;
  /** The job's name on the scheduler; carries the nonce. */
  job_name: string;
  intended_at: number;
  /** intended, accepted, refused, absent (all sources say that it never arrived). */
  outcome: string;
  job_id: string | null;
  message: string | null;
  resolved_at: number | null;
}

/** What a process takes of a pool, where that is not one. */
export interface ProcessPoolTable {
  process_id: number;
  pool: string;
  amount: number;
}

/** Monitors of a process whose job was accepted. */
export interface MonitorTable {
  process_id: number;
  /** When they are to be looked at next; null when nothing is to be called any more. */
  due_at: number | null;
  /** What they have said, and when they were called: JSON. */
  state: string;
}

/** The directory of an ended calcjob is to be removed from its computer, or was. */
export interface CleaningTable {
  process_id: number;
  /** That of the process. */
  computer_id: number;
  requested_at: number;
  /** The workflow that asked for it when it had ended; null where a person did. */
  requested_by: number | null;
  /** When a driver should see to it next; null when it is over. */
  due_at: number | null;
  attempts: Generated<number>;
  /** When the directory was found to be gone. */
  cleaned_at: number | null;
  /** The last failure: JSON {code, message, hint, at}. */
  failure: string | null;
}

/** A file of a process, its content in the repository. */
export interface FileTable {
  process_id: number;
  /** inputs or outputs. */
  role: string;
  path: string;
  sha256: string;
  size: number;
  mode: number;
}

/** Everything that happened, in order; also the outbox: a publisher keeps its position in `cursors`. */
export interface EventTable {
  id: Generated<number>;
  process_id: number | null;
  computer_id: number | null;
  at: number;
  type: string;
  data: string;
}

export interface CursorTable {
  name: string;
  position: number;
}

/** Who may work on something (a computer), until when. Each change of holder raises the epoch. */
export interface LeaseTable {
  name: string;
  owner: string;
  epoch: number;
  expires_at: number;
  /** Where the owner runs, so that its death on this host is seen at once. */
  host: string;
  pid: number;
  /** Tells that process from others with the same pid (see `leases.ts`); '' where it cannot be had. */
  pid_started: string;
}

/** What is true of the whole profile: `uuid`. */
export interface SettingTable {
  name: string;
  value: string;
}

/** An immutable piece of data. */
export interface DataTable {
  id: Generated<number>;
  uuid: string;
  /** value, file, folder or remote-folder. */
  type: string;
  /** sha256 over type, content and files. */
  hash: string;
  /** A value as JSON; of a file its name, of a remote folder where it is. */
  content: string;
  created_at: number;
}

/** A file of a piece of data, its content in the repository. */
export interface DataFileTable {
  data_id: number;
  path: string;
  sha256: string;
  size: number;
  mode: number;
}

/** What a process took (input), made (create) or passed on (return); calls are `parent_id`. */
export interface LinkTable {
  process_id: number;
  type: string;
  /** Its name at the process, nested ones with dots. */
  label: string;
  data_id: number;
}

/** What a workflow has done and has been told, in order: it is replayed from these. */
export interface RecordTable {
  process_id: number;
  position: number;
  type: string;
  content: string;
}

export type ComputerRow = Selectable<ComputerTable>;
export type CodeRow = Selectable<CodeTable>;
export type ProcessRow = Selectable<ProcessTable>;
export type NewProcessRow = Insertable<ProcessTable>;
export type ProcessChanges = Omit<Updateable<ProcessTable>, 'id' | 'uuid' | 'inputs' | 'created_at'>;
export type SubmissionRow = Selectable<SubmissionTable>;
export type CleaningRow = Selectable<CleaningTable>;
export type FileRow = Selectable<FileTable>;
export type EventRow = Selectable<EventTable>;
export type LeaseRow = Selectable<LeaseTable>;
export type DataRow = Selectable<DataTable>;
