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

export type Question = 'list' | 'find' | 'accounting' | 'kill';

/** How one scheduler speaks: its own commands and texts, which its plugin writes and reads. */
export interface Dialect {
  readonly name: string;
  /** Which question a command is; undefined when it is none of this scheduler. */
  recognise(words: readonly string[]): Question | undefined;
  answer(question: Question, words: readonly string[], stdin: string, books: Books): Answer;
  /** The name under which a command submits; undefined when it submits nothing. */
  submission(words: readonly string[]): string | undefined;
  accepted(id: string): Answer;
  /** The site allows no more jobs. */
  readonly limitReached: Answer;
  idOf(number: number): string;
}

/** An answer that ended well. */
export function printed(stdout: string): Answer {
  return { stdout, stderr: '', exitCode: 0 };
}
