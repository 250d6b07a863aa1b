import { VirtualClock } from './clock.js';
import type { Answer, Books, Dialect, Question, ShownJob, Submission } from './dialect.js';
import { type Fault, type FaultRule, FaultScript, type Operation } from './faults.js';
import { type Program, simulate } from './job-script.js';
import { MemoryFiles } from './memory-files.js';
import { endedStates, SimulatedQueue, stateAt } from './queue.js';
import { draw } from './random.js';

/** What a simulated computer is like; times in milliseconds. */
export interface ClusterOptions {
  readonly dialect: Dialect;
  /** Decides everything that is left to chance. */
  readonly seed: number;
  readonly clock?: VirtualClock;
  readonly faults?: readonly FaultRule[];
  readonly programs?: Readonly<Record<string, Program>>;
  /** Jobs that run at once; default 1000. */
  readonly slots?: number;
  /** Most jobs of the user that the site lets stand in the queue or run. */
  readonly maxSubmitted?: number;
  /** Longest wait in the queue; default 20 s. */
  readonly longestWait?: number;
  /** How long the queue shows a job that has ended; default 5 min. */
  readonly forgetAfter?: number;
  /** How long after its submission or end the records know of it; default 1 s. */
  readonly recordsLag?: number;
  /** How far the computer's clock is ahead. */
  readonly skew?: number;
  /** Longest time that a command takes on its way; default 200 ms. */
  readonly longestLatency?: number;
}

/** A computer with a batch system, in memory: deterministic, and disturbed only as its faults say. */
export class SimulatedCluster {
  readonly clock: VirtualClock;
  readonly files: MemoryFiles;
  readonly queue: SimulatedQueue;
  readonly dialect: Dialect;
  readonly user = 'me';
  /** What was done and what went wrong, in order, for people. */
  readonly log: string[] = [];
  readonly connections = new Set<{ lose(): void }>();
  readonly #options: ClusterOptions;
  readonly #faults: FaultScript;
  readonly #began: number;
  #commands = 0;

  constructor(options: ClusterOptions) {
    const { seed, faults = [], dialect, clock = new VirtualClock(), programs = { simulate } } = options;
    this.#options = options;
    this.dialect = dialect;
    this.clock = clock;
    this.#began = clock.now();
    this.files = new MemoryFiles(() => this.queue.now);
    this.#faults = new FaultScript(seed, faults);
    const { slots = 1000, longestWait = 20_000 } = options;
    this.queue = new SimulatedQueue({
      clock,
      files: this.files,
      faults: this.#faults,
      seed,
      programs: new Map(Object.entries(programs)),
      idOf: dialect.idOf,
      slots,
      longestWait,
      began: this.#began,
    });
  }

  /** Decides what goes wrong with an operation, and writes it down. */
  decide(operation: Operation, subject: string): Fault | undefined {
    const fault = this.#faults.decide(operation, subject, this.clock.now() - this.#began);
    const time = ((this.clock.now() - this.#began) / 1000).toFixed(1);
    this.log.push(`${time} ${operation} ${subject}${fault === undefined ? '' : ` ${JSON.stringify(fault)}`}`);
    return fault;
  }

  /** How long the next command takes on one way. */
  latency(): number {
    const longest = this.#options.longestLatency ?? 200;
    return 1 + Math.round(draw(this.#options.seed, 'latency', this.#commands++) * longest);
  }

  /** Hands a job to the scheduler, as its command does. */
  submit({ name, walltime }: Submission, script: string): Answer {
    const { maxSubmitted = Number.POSITIVE_INFINITY } = this.#options;
    if (this.queue.standing >= maxSubmitted) return this.dialect.limitReached;
    const { id } = this.queue.submit(name, script, walltime);
    this.log.push(`  ${name} is job ${id}`);
    return this.dialect.accepted(id);
  }

  /** A job of the same user that nobody of ours has submitted stands in the queue and runs for a while. */
  submitForeign(name: string, milliseconds: number): void {
    this.queue.advance();
    const { id } = this.queue.submit(name, `simulate --seconds ${milliseconds / 1000}\n`);
    this.log.push(`  foreign ${name} is job ${id}`);
  }

  /** Answers a question to the scheduler; a fault may make the answer a lie. */
  ask(question: Question, words: readonly string[], stdin: string, fault: Fault | undefined): Answer {
    if (fault?.kind === 'refused') return { stdout: '', stderr: `${fault.words}\n`, exitCode: fault.exitCode ?? 1 };
    return this.dialect.answer(question, words, stdin, this.#books(question, fault));
  }

  /** Breaks every open connection, as when the program that holds them dies. */
  loseConnections(): void {
    for (const connection of [...this.connections]) connection.lose();
  }

  #books(question: Question, fault: Fault | undefined): Books {
    const { skew = 0, forgetAfter = 300_000, recordsLag = 1000, seed } = this.#options;
    const now = this.clock.now();
    const shown = (at: number): ShownJob[] =>
      [...this.queue.jobs.values()].flatMap((job) => {
        const state = stateAt(job, at);
        return state === undefined ? [] : [{ job, state }];
      });
    const hidden = (id: string) => fault?.kind === 'missing' && draw(seed, 'missing', this.#commands, id) < fault.share;
    return {
      user: this.user,
      skew,
      queue: () => {
        if (fault?.kind === 'no-jobs') return [];
        const at = fault?.kind === 'stale' ? now - fault.age : now;
        return shown(at).filter(({ job, state }) => {
          const isForgotten = endedStates.has(state) && (job.endedAt ?? at) + forgetAfter <= at;
          return !isForgotten && !hidden(job.id);
        });
      },
      records: () => {
        if (fault?.kind === 'no-records' || (question === 'accounting' && fault?.kind === 'refused')) return undefined;
        return shown(now - recordsLag).filter(({ job }) => !(fault?.kind === 'no-jobs') && !hidden(job.id));
      },
      cancel: (id) => this.queue.cancel(id),
    };
  }
}
