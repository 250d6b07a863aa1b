import { draw } from './random.js';

/** What is done with a simulated computer, and can be disturbed. */
export type Operation =
  | 'open'
  | 'upload'
  | 'download'
  | 'read'
  | 'submit'
  | 'marker'
  | 'list'
  | 'find'
  | 'accounting'
  | 'exit-files'
  | 'kill'
  | 'job';

/** What goes wrong. Times in milliseconds. */
export type Fault =
  /** The connection breaks before the computer has heard anything. */
  | { readonly kind: 'lost-before' }
  /** The computer has done it all, and the connection breaks before its reply. */
  | { readonly kind: 'lost-after' }
  /** Nothing happens until the deadline; with `executes` the computer has done it, or does it so much later. */
  | { readonly kind: 'hang'; readonly executes?: 'never' | 'at-once' | number }
  /** The stream breaks: of an upload or a script only so many bytes arrive, of a reply only so many come back. */
  | { readonly kind: 'cut'; readonly bytes: number; readonly of: 'request' | 'reply' }
  /** It works, only later. */
  | { readonly kind: 'slow'; readonly delay: number }
  /** The scheduler answers with an error of its own; the words are given as it writes them. */
  | { readonly kind: 'refused'; readonly words: string; readonly exitCode?: number }
  /** The transport says that there are too many sessions. */
  | { readonly kind: 'back-pressure' }
  /** The file system is full. */
  | { readonly kind: 'disk-full' }
  /** A reply that ends well and is empty, ends early, or shows no jobs, only some of them, or those of a while ago. */
  | { readonly kind: 'nothing' }
  | { readonly kind: 'truncated'; readonly share: number }
  | { readonly kind: 'no-jobs' }
  | { readonly kind: 'missing'; readonly share: number }
  | { readonly kind: 'stale'; readonly age: number }
  /** The records cannot be asked. */
  | { readonly kind: 'no-records' }
  /** Of a running job: its node fails, or it is preempted and stands in the queue again. */
  | { readonly kind: 'node-failure'; readonly after: number }
  | { readonly kind: 'requeue'; readonly after: number };

/** When a fault happens. All conditions must hold; without any it always does. */
export interface FaultRule {
  readonly on: Operation | readonly Operation[];
  readonly fault: Fault;
  /** From 0 to 1, drawn anew for each occurrence. */
  readonly probability?: number;
  /** Only where it concerns this one, e.g. the job name without the part that is new for each attempt. */
  readonly subject?: string;
  /** Only at this occurrence of the operation on the same subject, from 1. */
  readonly occurrence?: number;
  /** At most so often in all. */
  readonly times?: number;
  /** Milliseconds after the cluster was made between which it happens. */
  readonly from?: number;
  readonly until?: number;
}

/** Decides what goes wrong. The first rule that applies does; the same seed decides the same. */
export class FaultScript {
  readonly #seed: number;
  readonly #rules: readonly FaultRule[];
  readonly #occurrences = new Map<string, number>();
  readonly #used = new Map<number, number>();

  constructor(seed: number, rules: readonly FaultRule[]) {
    this.#seed = seed;
    this.#rules = rules;
  }

  /**
   * @param subject whom it concerns, e.g. a job
   * @param age milliseconds since the cluster was made
   */
  decide(operation: Operation, subject: string, age: number): Fault | undefined {
    const key = `${operation} ${subject}`;
    const occurrence = (this.#occurrences.get(key) ?? 0) + 1;
    this.#occurrences.set(key, occurrence);
    const index = this.#rules.findIndex((rule, number) => {
      const operations: readonly Operation[] = typeof rule.on === 'string' ? [rule.on] : rule.on;
      if (!operations.includes(operation)) return false;
      if (rule.subject !== undefined && rule.subject !== subject) return false;
      if (rule.occurrence !== undefined && rule.occurrence !== occurrence) return false;
      if (rule.times !== undefined && (this.#used.get(number) ?? 0) >= rule.times) return false;
      if (age < (rule.from ?? 0) || age >= (rule.until ?? Number.POSITIVE_INFINITY)) return false;
      return draw(this.#seed, 'fault', number, key, occurrence) < (rule.probability ?? 1);
    });
    if (index < 0) return undefined;
    this.#used.set(index, (this.#used.get(index) ?? 0) + 1);
    return this.#rules[index]?.fault;
  }
}
