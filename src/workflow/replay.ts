import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { WherryError } from '../errors.js';
import type { FunctionEnd } from './function-end.js';
import {
  type AnswerRecord,
  type CallRecord,
  describeCall,
  isAnswer,
  isSameCall,
  type WorkflowRecord,
} from './record.js';

/** Milliseconds that a replayed function may take, outside of its context, before it makes the next recorded call. */
const patience = 10_000;

/** The function that is replayed, as seen from its record. */
export interface Replayed {
  readonly answer: (answer: AnswerRecord) => void;
  /** How it has ended, if it has. */
  readonly end: () => FunctionEnd | undefined;
  /** Aborted when it is no longer to be replayed. */
  readonly signal: AbortSignal;
}

/** The stored record of a workflow, while its function makes the same calls again and is told the same answers. */
export class Replay {
  readonly #records: readonly WorkflowRecord[];
  /** The next record that could be a call of the function. */
  #next = 0;

  constructor(records: readonly WorkflowRecord[]) {
    this.#records = records;
  }

  /**
   * The stored call that the function makes now, and its position; undefined when it has made all of them.
   * Errors: `workflow-changed` when it asks for something else.
   */
  take(asked: CallRecord): { readonly position: number; readonly record: CallRecord } | undefined {
    const position = this.#nextCall();
    if (position === undefined) return undefined;
    const record = this.#records[position] as CallRecord;
    if (!isSameCall(record, asked)) throw this.#changed(position, `makes ${describeCall(asked)}`);
    this.#next = position + 1;
    return { position, record };
  }

  /**
   * Tells the function all that it was told, each when it has made the calls that stand before, and waits until it has
   * made all of them. Errors: `workflow-changed` when it does not.
   */
  async run(replayed: Replayed): Promise<void> {
    for (const [position, record] of this.#records.entries()) {
      if (!isAnswer(record)) continue;
      // Most of ten thousand answers need not wait: not even for a promise that is kept already.
      if (this.#isMissing(position)) await this.#untilCalled(position, replayed);
      if (replayed.signal.aborted) return;
      replayed.answer(record);
      // Whatever follows from the answer at once comes before the next answer, as it did the first time.
      await nextTurn();
    }
    await this.#untilCalled(this.#records.length, replayed);
  }

  /** The position of the next stored call that the function has not made yet. */
  #nextCall(): number | undefined {
    for (; this.#next < this.#records.length; this.#next++) {
      const record = this.#records[this.#next];
      if (record !== undefined && !isAnswer(record)) return this.#next;
    }
    return undefined;
  }

  /** Has the function not made every call yet that stands before a position? */
  #isMissing(position: number): boolean {
    return (this.#nextCall() ?? position) < position;
  }

  /** Waits until it has. */
  async #untilCalled(position: number, replayed: Replayed): Promise<void> {
    const isMissing = () => this.#isMissing(position) && !replayed.signal.aborted;
    // A turn is enough for what the function does by itself.
    for (let turn = 0; turn < 10 && isMissing(); turn++) await nextTurn();
    for (const latest = performance.now() + patience; isMissing(); await delay(5)) {
      const where = this.#nextCall() ?? 0;
      const end = replayed.end();
      if (end?.kind === 'threw' && isWorkflowChanged(end.error)) throw end.error;
      if (end !== undefined) throw this.#changed(where, 'ends');
      if (performance.now() > latest) throw this.#changed(where, 'does nothing');
    }
  }

  #changed(position: number, instead: string): WherryError {
    const record = this.#records[position];
    const stands = record === undefined || isAnswer(record) ? 'something else' : describeCall(record);
    return new WherryError(
      'workflow-changed',
      `where its record has ${stands} (number ${position + 1}), the workflow now ${instead}`,
      { hint: 'put the former definition back and play the process, or kill it and submit it anew' },
    );
  }
}

function isWorkflowChanged(error: unknown): boolean {
  return error instanceof WherryError && error.code === 'workflow-changed';
}
