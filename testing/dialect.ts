import type { SimulatedJob, SimulatedState } from './queue.js';

/** What a scheduler's command printed. */
export interface Answer {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** A job as a command is to show it. */
export interface ShownJob {
  readonly job: SimulatedJob;
  readonly state: SimulatedState;
}

/** What a command of a scheduler asks the simulated computer for. */
export interface Books {
  readonly user: string;
  /** By the computer's own clock, which may be wrong. */
  readonly skew: number;
  /** Jobs that the queue shows now. */
  queue(): ShownJob[];
  /** Everything that the records know; undefined when there are none to be had. */
  records(): ShownJob[] | undefined;
  cancel(id: string): boolean;
}

/** A job as it is handed over. */
export interface Submission {
  readonly name: string;
  /** Milliseconds after which the scheduler ends it. */
  readonly walltime?: number | undefined;
}

export type Question = 'list' | 'find' | 'accounting' | 'kill';

/** How one scheduler speaks: its own commands and texts, which its plugin writes and reads. */
export interface Dialect {
  readonly name: string;
  /** Which question a command is; undefined when it is none of this scheduler. */
  recognise(words: readonly string[]): Question | undefined;
  answer(question: Question, words: readonly string[], stdin: string, books: Books): Answer;
  /** What a command submits, with the script's text; undefined when it submits nothing. */
  submission(words: readonly string[], script: string): Submission | undefined;
  accepted(id: string): Answer;
  /** The site allows no more jobs. */
  readonly limitReached: Answer;
  idOf(number: number): string;
}

/** Milliseconds of `hh:mm:ss` with days before it where there are any; undefined for anything else. */
export function durationOf(text: string | undefined): number | undefined {
  const match = /^(?:(\d+)-)?(\d+):(\d+):(\d+)$/.exec(text ?? '');
  if (match === null) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000;
}

/** An answer that ended well. */
export function printed(stdout: string): Answer {
  return { stdout, stderr: '', exitCode: 0 };
}
