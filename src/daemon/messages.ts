/** What a worker tells its supervisor over their channel. */
export type FromWorker =
  | { readonly type: 'ready'; readonly code: string }
  | ({ readonly type: 'heartbeat' } & Heartbeat);

/** How a worker is, by its own account. */
export interface Heartbeat {
  /** How late timers of its event loop were since the last heartbeat, in milliseconds: 99th percentile and worst. */
  readonly delayP99: number;
  readonly delayMax: number;
  /** Resident memory in bytes. */
  readonly memory: number;
  /** Processor time since the last heartbeat, in percent of one core, and since the start, in seconds. */
  readonly cpu: number;
  readonly cpuTime: number;
  /** Programs that it has started and that run. */
  readonly children: number;
  /** Computers that it holds, and steps in progress on them. */
  readonly computers: number;
  readonly steps: number;
}

/** What a supervisor tells its worker. */
export type ToWorker =
  /** End; it is killed after `timeout` milliseconds. A later word counts instead of an earlier one. */
  | { readonly type: 'drain'; readonly timeout: number }
  /** So many workers share the computers. */
  | { readonly type: 'workers'; readonly count: number };

/** How a worker ended. Times are ISO 8601. */
export interface WorkerEnd {
  readonly at: string;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why, as far as it is known: its own words, or what was done to it. */
  readonly reason: string;
}

/** One worker as `daemon status` shows it. Times are ISO 8601. */
export interface WorkerStatus {
  readonly number: number;
  /** Null while none runs in this place. */
  readonly pid: number | null;
  /** `waiting` for its restart. */
  readonly state: 'starting' | 'ready' | 'draining' | 'waiting';
  /** Fingerprint of the code that it runs; null until it is ready. */
  readonly code: string | null;
  readonly startedAt: string | null;
  readonly heartbeatAt: string | null;
  readonly heartbeat: Heartbeat | null;
  readonly restarts: number;
  readonly nextStartAt: string | null;
  readonly lastEnd: WorkerEnd | null;
}

/** Why no worker is started for a while: they all ended soon after their start. Times are ISO 8601. */
export interface BreakerStatus {
  readonly since: string;
  readonly until: string;
  readonly reason: string;
}

/** A worker that is being replaced: another has been started, and takes its place when it is ready. */
export interface ReplacementStatus {
  readonly worker: number;
  readonly successor: number;
  /** What for: its age, its memory, or because somebody asked for it. */
  readonly why: string;
  readonly since: string;
}

/** A worker that was to be replaced and stays, because its successor did not become ready. */
export interface FailedReplacement {
  readonly worker: number;
  readonly why: string;
  readonly reason: string;
  readonly at: string;
  /** When it is tried again at the earliest, as far as it is for the supervisor to decide. */
  readonly nextAt: string;
}

/** What a supervisor knows of its workers. */
export interface SupervisorStatus {
  readonly state: 'running' | 'stopping';
  /** How many workers there shall be. */
  readonly wanted: number;
  readonly breaker: BreakerStatus | null;
  readonly replacing: ReplacementStatus | null;
  readonly notReplaced: FailedReplacement | null;
  readonly workers: readonly WorkerStatus[];
}

/** Everything that a daemon tells of itself. */
export interface DaemonStatus extends SupervisorStatus {
  readonly pid: number;
  readonly host: string;
  readonly version: string;
  /** Fingerprint of the program's code when the daemon started. */
  readonly code: string;
  readonly startedAt: string;
  /** Does it run in the foreground of somebody else, such as systemd or a container? */
  readonly foreground: boolean;
  readonly log: string;
  /** Milliseconds that workers have to end when a stop says nothing else. */
  readonly stopTimeout: number;
  /** How the last hook went that failed; null when the last one went well. */
  readonly hookFailure: HookFailure | null;
}

/** Something that a hook is told of, and that `status` may be read for. Workers are named by their number. */
export type DaemonEvent =
  | { readonly type: 'daemon-started' }
  | { readonly type: 'daemon-stopping' }
  | { readonly type: 'worker-started'; readonly worker: number; readonly pid: number | null }
  | { readonly type: 'worker-ready'; readonly worker: number; readonly pid: number | null }
  /** `asked`: it was told to end. */
  | { readonly type: 'worker-ended'; readonly worker: number; readonly asked: boolean; readonly reason: string }
  | {
      readonly type: 'worker-replaced';
      readonly worker: number;
      readonly successor: number;
      readonly why: string;
    }
  | { readonly type: 'worker-not-replaced'; readonly worker: number; readonly why: string; readonly reason: string }
  | { readonly type: 'breaker-opened'; readonly until: string; readonly reason: string }
  | { readonly type: 'breaker-closed' };

/** What a hook reads from its stdin: what has happened, and how everything is at the moment. */
export interface HookInput {
  readonly event: DaemonEvent;
  readonly at: string;
  /** Events before this one that came while the hook before was running, and of which no hook is told. */
  readonly passedOver: number;
  readonly home: string;
  readonly profile: string;
  readonly status: DaemonStatus;
}

/** How a hook failed. */
export interface HookFailure {
  readonly at: string;
  readonly event: DaemonEvent['type'];
  readonly reason: string;
}

/** What came of a rolling replacement of all workers. */
export interface Reloaded {
  readonly replaced: number;
  /** Why it stopped before all were replaced; null when it did not. */
  readonly stopped: string | null;
}

/** What can be asked of a daemon: one line of JSON, answered by one. */
export type DaemonRequest =
  | { readonly command: 'status' }
  | { readonly command: 'scale'; readonly workers: number }
  /** Replaces all workers, one after another. */
  | { readonly command: 'reload' }
  /** In `timeout` milliseconds; as the daemon's settings say when absent. */
  | { readonly command: 'stop'; readonly timeout?: number | undefined };

/** The answer to each; `stop` is answered when everything has ended and the profile is free, `reload` when it is over. */
export type DaemonReply =
  | { readonly status: DaemonStatus }
  | { readonly reloaded: Reloaded }
  | { readonly stopped: true; readonly killed: number }
  | { readonly error: string };

/** What a daemon tells the program that started it. */
export type FromDaemon =
  | { readonly type: 'ready'; readonly status: DaemonStatus }
  | { readonly type: 'failed'; readonly code: string; readonly message: string; readonly hint: string | undefined };

/** A daemon takes no more workers than this: each is a program of some 100 MB. */
export const mostWorkers = 64;
