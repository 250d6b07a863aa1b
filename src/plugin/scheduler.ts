import type { z } from 'zod';
import type { ExecResult } from './transport.js';

/** A command as words; whoever runs it quotes them. No word is ever read as shell text by us. */
export interface Command {
  readonly words: readonly [string, ...string[]];
  readonly stdin?: string;
}

/** Wherry's words for what a scheduler says of a job. `unknown` is for words that we do not know. */
export const jobStates = [
  'queued',
  'held',
  'running',
  'suspended',
  'completing',
  'done',
  'failed',
  'cancelled',
  'timeout',
  'out-of-memory',
  'node-failure',
  'preempted',
  'unknown',
] as const;
export type JobState = (typeof jobStates)[number];

/** The states in which the scheduler itself says that the job has ended. */
export const endedJobStates: ReadonlySet<JobState> = new Set<JobState>([
  'done',
  'failed',
  'cancelled',
  'timeout',
  'out-of-memory',
  'node-failure',
  'preempted',
]);

/** What a scheduler tells of one job. Times are ISO 8601 as far as the scheduler's words allow, else absent. */
export interface JobInfo {
  readonly id: string;
  readonly name?: string;
  readonly state: JobState;
  /** The scheduler's own word for the state. */
  readonly word: string;
  /** Why it waits or ended, in the scheduler's words. */
  readonly reason?: string;
  readonly exitCode?: number;
  /** Number of the signal that ended it. */
  readonly signal?: number;
  readonly user?: string;
  readonly queue?: string;
  readonly nodes?: string;
  readonly submittedAt?: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** Of a running job: when the scheduler ends it at the latest. */
  readonly expectedEndAt?: string;
  /** Seconds. */
  readonly walltime?: number;
}

/** Resources in the field's common terms. A plugin's schema accepts the subset that its scheduler can express. */
export interface Resources {
  readonly nodes?: number | undefined;
  readonly tasksPerNode?: number | undefined;
  readonly cpusPerTask?: number | undefined;
  readonly gpusPerNode?: number | undefined;
  /** Bytes. */
  readonly memoryPerNode?: number | undefined;
  /** Seconds. */
  readonly walltime?: number | undefined;
}

/** What the scheduler tells by mail, and whom: a word without blanks, quotes or control characters. */
export interface MailSettings {
  readonly to: string;
  readonly onBegin: boolean;
  readonly onEnd: boolean;
  readonly onFail: boolean;
}

/** Options of a job beside its resources. A plugin names in `settings` those that it can express. */
export interface JobSettings {
  readonly queue?: string | undefined;
  readonly account?: string | undefined;
  readonly qos?: string | undefined;
  readonly constraint?: string | undefined;
  /** Lines put into the script's header as they are. */
  readonly headerLines?: readonly string[] | undefined;
  /** May the scheduler run it again from its beginning? Undefined: as the site has it. */
  readonly rerunnable?: boolean | undefined;
  readonly mail?: MailSettings | undefined;
  /** Submitted as held: it waits until somebody releases it. */
  readonly hold?: boolean | undefined;
  /** ISO 8601 in UTC: it does not begin earlier. */
  readonly beginTime?: string | undefined;
  /** Share its nodes with no other job. */
  readonly exclusive?: boolean | undefined;
  /** False: begin without the environment of the submitting command. */
  readonly importEnvironment?: boolean | undefined;
}
export type SettingName = keyof JobSettings;

/** What a plugin needs to write the header of a job's script. The job runs in its directory. */
export interface JobHeader extends JobSettings {
  /** Carries the nonce: letters, digits, `-`, `_` and `.` only, at most 64 characters. */
  readonly name: string;
  readonly resources: Resources;
  /** Where the scheduler's own stdout and stderr of the job go, relative to the directory it is submitted from. */
  readonly stdout: string;
  readonly stderr: string;
}

export interface SubmitRequest {
  readonly name: string;
  /** The script's path relative to `directory`, from which the command runs. */
  readonly script: string;
  /** Absolute. */
  readonly directory: string;
  readonly resources: Resources;
  /** The job's setting, for schedulers whose header cannot say it. */
  readonly beginTime?: string | undefined;
  /** Absolute work directory of the computer, for schedulers that keep state of their own there. */
  readonly workDirectory: string;
  /** The computer's options for this scheduler, as its `options` schema gave them. */
  readonly options: unknown;
}

/**
 * What came of a submission. `limit`: the site allows no more jobs for now, wait. `transient`: try again later.
 * `permanent`: this job will never be accepted. `unknown`: the scheduler may have accepted it (a time-out, say).
 */
export type SubmitOutcome =
  | { readonly kind: 'accepted'; readonly jobId: string }
  | {
      readonly kind: 'refused';
      readonly reason: 'limit' | 'transient' | 'permanent';
      /** The scheduler's own words. */
      readonly message: string;
      /** Exit status the process gets where the field has one for it, e.g. 131 for an invalid account. */
      readonly exitStatus?: number;
    }
  | { readonly kind: 'unknown'; readonly message: string };

/** Where a query is asked. */
export interface QueryContext {
  readonly user: string;
  readonly workDirectory: string;
  readonly options: unknown;
}

export interface SchedulerDefinition {
  readonly name: string;
  /** Checks and types the resources; strict: what the scheduler cannot express is an error. */
  readonly resources: z.ZodType<Resources>;
  /** Options of a computer with this scheduler, e.g. slots. */
  readonly options: z.ZodType;
  readonly settings: readonly SettingName[];
  readonly can: {
    readonly accounting: boolean;
    readonly findByName: boolean;
    readonly arrays: boolean;
    readonly dependencies: boolean;
    readonly hold: boolean;
  };
  /** Commands that must be on the computer's PATH, for `computer test`. */
  readonly commands: readonly string[];
  /** Environment variable in which a running job finds its own id. */
  readonly jobIdVariable: string;
  /** Seconds after which an accepted submission must be visible to `find`. */
  readonly settleTime: number;
  header(job: JobHeader): string[];
  submit(request: SubmitRequest): Command;
  parseSubmit(result: ExecResult): SubmitOutcome;
  /**
   * One listing for all jobs. `ids` may be ignored by schedulers that list by user.
   * `everything`: also the user's other jobs that have not ended.
   */
  list(query: QueryContext & { readonly ids: readonly string[]; readonly everything?: boolean }): Command;
  /**
   * Throws a transient `scheduler-unavailable` when the output is no complete answer. A generator lets Wherry do other
   * things while it reads the listing of a hundred thousand jobs.
   */
  parseList(result: ExecResult): Iterable<JobInfo>;
  /** Looks for jobs of this exact name in queue and history. `since`: milliseconds since the epoch. */
  find(query: QueryContext & { readonly name: string; readonly since: number }): Command;
  parseFind(result: ExecResult): JobInfo[];
  /** Cancels jobs; must not fail because one of them has ended already. */
  kill(query: QueryContext & { readonly ids: readonly string[] }): Command;
  /** Throws when the command did not reach the scheduler; a job that is gone already is no error. */
  parseKill(result: ExecResult): void;
  /** What the scheduler's records say of jobs that have left the queue. */
  accounting?(query: QueryContext & { readonly ids: readonly string[]; readonly since: number }): Command;
  parseAccounting?(result: ExecResult): JobInfo[];
}

/** Declares a scheduler plugin: a value, checked by the compiler. */
export function defineScheduler(definition: SchedulerDefinition): SchedulerDefinition {
  return definition;
}
