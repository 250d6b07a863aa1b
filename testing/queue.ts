import type { VirtualClock } from './clock.js';
import type { FaultScript } from './faults.js';
import { claimDirectory, type JobScript, leaveResults, type Program, readJobScript } from './job-script.js';
import type { MemoryFiles } from './memory-files.js';
import { draw } from './random.js';

export type SimulatedState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled' | 'timeout' | 'node-failure';

/** What the scheduler knew of a job from a moment on. */
export interface Moment {
  readonly at: number;
  readonly state: SimulatedState;
}

/** A job as its scheduler knows it; times in milliseconds since the epoch. */
export interface SimulatedJob {
  readonly id: string;
  readonly name: string;
  /** The name without its last part, which is another for every attempt: whom faults of this job concern. */
  readonly subject: string;
  readonly script: JobScript;
  readonly submittedAt: number;
  /** Everything that happened to it, in order. */
  readonly history: Moment[];
  startedAt?: number;
  endedAt?: number;
  exitCode?: number;
  /** Milliseconds after which the scheduler ends it. */
  readonly walltime: number;
  /** How often its command began: more than once only where the scheduler let it run again. */
  runs: number;
}

export interface QueueOptions {
  readonly clock: VirtualClock;
  readonly files: MemoryFiles;
  readonly faults: FaultScript;
  readonly seed: number;
  readonly programs: ReadonlyMap<string, Program>;
  readonly idOf: (number: number) => string;
  /** Jobs that run at once. */
  readonly slots: number;
  /** Most milliseconds that a job waits in the queue where a slot is free. */
  readonly longestWait: number;
  /** When the cluster was made. */
  readonly began: number;
}

interface Active {
  readonly job: SimulatedJob;
  /** What happens to it next, unless it is waiting for a slot. */
  at: number;
  next: 'start' | 'end' | 'node-failure' | 'requeue' | 'timeout';
  exitCode: number;
  stdout: string;
}

interface Deferred {
  readonly at: number;
  readonly action: () => void;
}

/** What a job script that is ended by TERM leaves as its exit code. */
const endedByTerm = 143;

export const endedStates: ReadonlySet<SimulatedState> = new Set([
  'done',
  'failed',
  'cancelled',
  'timeout',
  'node-failure',
]);

/** The jobs of a simulated computer. Nothing happens by itself: `advance` carries out what the time has brought. */
export class SimulatedQueue {
  readonly jobs = new Map<string, SimulatedJob>();
  readonly #options: QueueOptions;
  readonly #active = new Map<string, Active>();
  #later: Deferred[] = [];
  #advanced = 0;

  constructor(options: QueueOptions) {
    this.#options = options;
    this.#advanced = options.began;
  }

  /** Jobs in the queue or running. */
  get standing(): number {
    return this.#active.size;
  }

  /** The time of what is being carried out. */
  get now(): number {
    return Math.max(this.#advanced, this.#options.clock.now());
  }

  /** @param walltime milliseconds after which the scheduler ends the job */
  submit(name: string, text: string, walltime = Number.POSITIVE_INFINITY): SimulatedJob {
    const { idOf, seed, programs, longestWait } = this.#options;
    const id = idOf(this.jobs.size + 1);
    const subject = name.replace(/-[^-]*$/, '');
    const script = readJobScript(text, new Set(programs.keys()));
    const at = this.#advanced;
    const job: SimulatedJob = {
      id,
      name,
      subject,
      script,
      submittedAt: at,
      history: [{ at, state: 'queued' }],
      walltime,
      runs: 0,
    };
    this.jobs.set(id, job);
    const wait = Math.round(draw(seed, 'wait', name) * longestWait);
    this.#active.set(id, { job, at: at + wait, next: 'start', exitCode: 0, stdout: '' });
    return job;
  }

  /** False when the job has ended or never was. */
  cancel(id: string): boolean {
    const active = this.#active.get(id);
    if (active === undefined) return false;
    if (active.next !== 'start') leaveResults(this.#options.files, active.job.script, endedByTerm, '');
    this.#end(active.job, 'cancelled');
    return true;
  }

  /** Something that happens at a moment, when the time has come. */
  later(at: number, action: () => void): void {
    this.#later.push({ at, action });
    this.#later.sort((one, other) => one.at - other.at);
  }

  /** Carries out everything up to now, in the order of time. */
  advance(): void {
    const now = this.#options.clock.now();
    for (;;) {
      const active = this.#nextActive();
      const [deferred] = this.#later;
      const at = Math.min(active?.at ?? Number.POSITIVE_INFINITY, deferred?.at ?? Number.POSITIVE_INFINITY);
      if (at > now) break;
      this.#advanced = Math.max(this.#advanced, at);
      if (deferred !== undefined && deferred.at === at) {
        this.#later.shift();
        deferred.action();
      } else if (active !== undefined) this.#carryOut(active);
    }
    this.#advanced = now;
  }

  #nextActive(): Active | undefined {
    let running = 0;
    for (const active of this.#active.values()) if (active.next !== 'start') running++;
    let next: Active | undefined;
    for (const active of this.#active.values()) {
      if (active.next === 'start' && running >= this.#options.slots) continue;
      if (next === undefined || active.at < next.at) next = active;
    }
    return next;
  }

  #carryOut(active: Active): void {
    const { job } = active;
    if (active.next === 'start') this.#start(active);
    else if (active.next === 'node-failure') this.#end(job, 'node-failure');
    else if (active.next === 'timeout') {
      leaveResults(this.#options.files, job.script, endedByTerm, '');
      this.#end(job, 'timeout');
    } else if (active.next === 'requeue') {
      this.#enter(job, 'queued');
      active.next = 'start';
      active.at = this.#advanced + 5_000;
    } else {
      leaveResults(this.#options.files, job.script, active.exitCode, active.stdout);
      job.exitCode = active.exitCode;
      this.#end(job, active.exitCode === 0 ? 'done' : 'failed');
    }
  }

  #start(active: Active): void {
    const { files, programs, faults, began } = this.#options;
    const { job } = active;
    const { script } = job;
    this.#enter(job, 'running');
    job.startedAt = this.#advanced;
    const claim = claimDirectory(files, script, job.id);
    if (claim !== 'ours') {
      job.exitCode = claim === 'foreign' ? 0 : 1;
      this.#end(job, claim === 'foreign' ? 'done' : 'failed');
      return;
    }
    const run = programs.get(script.words[0] ?? '')?.(script.words) ?? { seconds: 0, exitCode: 127 };
    job.runs++;
    const fault = faults.decide('job', job.subject, this.#advanced - began);
    const ends = [
      { next: 'end' as const, after: run.seconds * 1000 },
      { next: 'timeout' as const, after: job.walltime },
      ...(fault?.kind === 'node-failure' || fault?.kind === 'requeue'
        ? [{ next: fault.kind, after: fault.after }]
        : []),
    ];
    const first = ends.reduce((one, other) => (other.after < one.after ? other : one));
    active.next = first.next;
    active.at = this.#advanced + first.after;
    active.exitCode = run.exitCode;
    active.stdout = run.stdout ?? '';
  }

  #end(job: SimulatedJob, state: SimulatedState): void {
    this.#enter(job, state);
    job.endedAt = this.#advanced;
    this.#active.delete(job.id);
  }

  #enter(job: SimulatedJob, state: SimulatedState): void {
    job.history.push({ at: this.#advanced, state });
  }
}

/** What the scheduler knew of a job at a moment; undefined before it was submitted. */
export function stateAt(job: SimulatedJob, at: number): SimulatedState | undefined {
  return job.history.findLast((moment) => moment.at <= at)?.state;
}
