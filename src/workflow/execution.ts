import { setImmediate as nextTurn } from 'node:timers/promises';
import { InputError, messageOf, WherryError } from '../errors.js';
import { endOf, type FunctionEnd } from './function-end.js';
import { type AnswerRecord, type CallRecord, isAnswer, type RecordedError, type WorkflowRecord } from './record.js';
import { Replay } from './replay.js';
import type { ProcessResult } from './result.js';

/** What is written down together: the next records, and what comes with them. `Prepared` is what the host made of calls. */
export interface Batch<Prepared> {
  /** Of the first record. */
  readonly position: number;
  readonly records: readonly WorkflowRecord[];
  readonly prepared: readonly Prepared[];
  readonly end: FunctionEnd | undefined;
}

/** Who stores what a workflow does, and runs its children. */
export interface ExecutionHost<Prepared> {
  readonly now: () => number;
  /** Stores a batch, all or nothing. When it fails the execution stops: another may go on from the record. */
  commit(batch: Batch<Prepared>): Promise<void>;
  /** It has become idle. */
  rests?(): void;
}

/** A call that has been made and has no answer yet. */
interface OpenCall {
  readonly record: CallRecord;
  readonly answer: (answer: AnswerRecord) => void;
  /** Does what the call asks for; its answer comes by `tell`. */
  readonly begin?: Begin | undefined;
}

/** A process that was called. */
interface Child {
  readonly call: number;
  /** How it ended, if it has; made when it is told. */
  result: (() => ProcessResult) | undefined;
}

/** An answer whose call is known. */
export type Telling =
  | { readonly type: 'ended' | 'woken' }
  | { readonly type: 'done'; readonly value: unknown }
  | { readonly type: 'failed'; readonly error: RecordedError };

/** A record that is not stored yet, with what has to be made ready before it can be. */
interface Pending<Prepared> {
  record: WorkflowRecord;
  ready: Promise<Prepared | undefined> | undefined;
}

/** Does what a call asks for, and tells its answer. */
export type Begin = (tell: (answer: Telling) => void) => void;

/**
 * Runs the function of one workflow. What it asks its context for is recorded; started again with that record, the
 * function gets the same answers in the same order, and so comes to where it was. New calls then go to the host.
 */
export class Execution<Prepared> {
  readonly #host: ExecutionHost<Prepared>;
  /** What is stored of it, as long as that is replayed. */
  #replay: Replay | undefined;
  /** How many records were there at the beginning. */
  readonly #stored: number;
  /** How many records there are now. */
  #length: number;
  readonly #open = new Map<number, OpenCall>();
  readonly #told: AnswerRecord[] = [];
  readonly #pending: Pending<Prepared>[] = [];
  #committed: number;
  #committing = false;
  #end: FunctionEnd | undefined;
  #running = 0;
  /** Those whose ends have not been told, by uuid. */
  readonly #children = new Map<string, Child>();
  readonly #sleeps = new Map<number, number>();
  readonly #stop = new AbortController();
  readonly #settled: Promise<void>;
  #settle: (error?: unknown) => void = () => undefined;

  /** @param results how those of its children ended that have ended, by uuid */
  constructor(
    host: ExecutionHost<Prepared>,
    records: readonly WorkflowRecord[],
    results: ReadonlyMap<string, () => ProcessResult>,
  ) {
    this.#host = host;
    this.#replay = new Replay(records);
    this.#stored = records.length;
    this.#length = records.length;
    this.#committed = records.length;
    for (const [position, record] of records.entries()) {
      if (record.type !== 'process' || record.child === null) continue;
      this.#children.set(record.child, { call: position, result: results.get(record.child) });
    }
    this.#settled = new Promise((resolve, reject) => {
      this.#settle = (error) => (error === undefined ? resolve() : reject(error as Error));
    });
    this.#settled.catch(() => undefined);
  }

  /** Aborted when somebody stops it: code of the user that takes long may end early. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get now(): number {
    return this.#host.now();
  }

  /** Has it come to where it was? */
  get #live(): boolean {
    return this.#replay === undefined;
  }

  /** Does it wait for nothing but its children and the time? */
  get idle(): boolean {
    // Answers that nothing has followed from yet need not be stored.
    const isStored = this.#pending.every(({ record }) => isAnswer(record));
    return this.#live && this.#running === 0 && !this.#committing && this.#told.length === 0 && isStored;
  }

  /** Children that it waits for. */
  get awaited(): readonly string[] {
    return [...this.#children].filter(([, { call }]) => this.#open.has(call)).map(([uuid]) => uuid);
  }

  /** When its next sleep is over, in milliseconds since the epoch. */
  get wakesAt(): number | undefined {
    return this.#sleeps.size === 0 ? undefined : Math.min(...this.#sleeps.values());
  }

  /**
   * Runs the function to its end, which is committed then, or until it is stopped.
   * Errors: `workflow-changed`; `aborted` when it was stopped; those of `commit`.
   */
  async run(work: () => Promise<unknown>): Promise<void> {
    void endOf(work).then((end) => {
      this.#end = end;
      this.#flush();
    });
    this.#catchUp().catch((error: unknown) => this.#fail(error));
    return this.#settled;
  }

  /** Lets go of it: nothing is committed any more, and whatever the function does is of no consequence. */
  stop(reason: WherryError): void {
    this.#fail(reason);
  }

  /** A child has ended. Told twice, it is heard once. */
  ended(uuid: string, result: ProcessResult): void {
    const child = this.#children.get(uuid);
    if (child === undefined || child.result !== undefined) return;
    child.result = () => result;
    if (this.#live) this.#tell({ type: 'ended', call: child.call });
  }

  /** Time has passed. */
  wake(): void {
    const now = this.now;
    for (const [call, until] of [...this.#sleeps]) {
      if (until > now) continue;
      this.#sleeps.delete(call);
      this.#tell({ type: 'woken', call });
    }
  }

  /** How a child ended whose end is being told. */
  resultOf(uuid: string): ProcessResult {
    const result = this.#children.get(uuid)?.result;
    if (result === undefined) throw new WherryError('internal', `the end of process ${uuid} is not known`);
    return result();
  }

  /**
   * Makes a call.
   * @param record what is asked for; where it was asked for before, the stored one is given back instead
   * @param answer is called with the answer, once; none comes for calls that need none
   * @param ready what the host needs to carry the call out; when it fails with an InputError, the call is refused
   */
  call(
    record: CallRecord,
    options: {
      readonly answer?: (answer: AnswerRecord) => void;
      readonly begin?: Begin | undefined;
      readonly ready?: () => Promise<Prepared>;
    } = {},
  ): CallRecord {
    this.#stop.signal.throwIfAborted();
    const { answer, begin, ready } = options;
    const stored = this.#replay?.take(record);
    if (stored !== undefined) {
      if (answer !== undefined) this.#expect(stored.position, { record: stored.record, answer, begin });
      return stored.record;
    }
    const position = this.#length++;
    if (answer !== undefined) this.#expect(position, { record, answer, begin });
    const pending: Pending<Prepared> = { record, ready: undefined };
    if (ready !== undefined) {
      pending.ready = this.#prepare(position, pending, ready);
      // Its failure is heard when the batch is committed; until then it is nobody's, and must not end the program.
      pending.ready.catch(() => undefined);
    }
    this.#pending.push(pending);
    if (this.#live) {
      this.#begin(position);
      this.#flush();
    }
    return record;
  }

  #expect(position: number, call: OpenCall): void {
    this.#open.set(position, call);
    if (call.record.type === 'process' && call.record.child !== null && !this.#children.has(call.record.child)) {
      this.#children.set(call.record.child, { call: position, result: undefined });
    }
  }

  async #catchUp(): Promise<void> {
    const { signal } = this;
    await this.#replay?.run({ answer: (answer) => this.#answer(answer), end: () => this.#end, signal });
    if (signal.aborted) return;
    this.#replay = undefined;
    for (const position of [...this.#open.keys()]) this.#begin(position);
    this.#flush();
  }

  #begin(position: number): void {
    const call = this.#open.get(position);
    if (call === undefined) return;
    const { record } = call;
    if (record.type === 'process') {
      const uuid = record.child;
      if (uuid !== null && this.#children.get(uuid)?.result !== undefined)
        this.#tell({ type: 'ended', call: position });
    } else if (record.type === 'sleep') {
      this.#sleeps.set(position, record.until);
      this.wake();
    } else if (record.type === 'pause') {
      // Nobody goes on with a paused workflow: whoever found the pause in its record finds it played.
      if (position < this.#stored) this.#tell({ type: 'woken', call: position });
    } else if (call.begin !== undefined) {
      this.#running++;
      call.begin((answer) => {
        this.#running--;
        this.#tell({ ...answer, call: position });
      });
    }
  }

  async #prepare(
    position: number,
    pending: Pending<Prepared>,
    ready: () => Promise<Prepared>,
  ): Promise<Prepared | undefined> {
    try {
      return await ready();
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      const { record } = pending;
      if (record.type !== 'process') throw error;
      pending.record = { ...record, child: null };
      if (record.child !== null) this.#children.delete(record.child);
      this.#told.push({ type: 'failed', call: position, error: { code: error.code, message: error.message } });
      return undefined;
    }
  }

  #tell(answer: AnswerRecord): void {
    this.#told.push(answer);
    this.#flush();
  }

  #answer(answer: AnswerRecord): void {
    const call = this.#open.get(answer.call);
    if (call === undefined) return;
    this.#open.delete(answer.call);
    call.answer(answer);
    // Thousands may come after it: only what is waited for is kept.
    if (call.record.type === 'process' && call.record.child !== null) this.#children.delete(call.record.child);
  }

  /** Tells what there is to tell, one after another, then commits what has come of it, until nothing is left. */
  #flush(): void {
    if (!this.#live || this.#committing || this.#stop.signal.aborted) return;
    this.#committing = true;
    this.#tellAndCommit().catch((error: unknown) => this.#fail(error));
  }

  async #tellAndCommit(): Promise<void> {
    // Calls that are made in one go are stored in one go.
    await nextTurn();
    while (!this.#stop.signal.aborted) {
      for (let answer = this.#told.shift(); answer !== undefined; answer = this.#told.shift()) {
        this.#length++;
        this.#pending.push({ record: answer, ready: undefined });
        this.#answer(answer);
        await nextTurn();
      }
      const end = this.#end;
      const isWorthCommitting = end !== undefined || this.#pending.some(({ record }) => !isAnswer(record));
      if (!isWorthCommitting) {
        // At once: what comes before the next turn would find it busy, and nobody would look again.
        this.#committing = false;
        return this.#host.rests?.();
      }
      await this.#commit(end);
      if (end !== undefined) return this.#settle();
    }
  }

  async #commit(end: FunctionEnd | undefined): Promise<void> {
    const entries = this.#pending.splice(0);
    const position = this.#committed;
    const prepared: Prepared[] = [];
    for (const { ready } of entries) {
      const one = await ready;
      if (one !== undefined) prepared.push(one);
    }
    if (this.#stop.signal.aborted) return;
    // What was refused while it was prepared stands otherwise in the record.
    const records = entries.map(({ record }) => record);
    this.#committed += records.length;
    await this.#host.commit({ position, records, prepared, end });
  }

  #fail(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(
      error instanceof WherryError ? error : new WherryError('internal', messageOf(error), { cause: error }),
    );
    this.#settle(error);
  }
}
