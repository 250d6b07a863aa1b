import { inspect } from 'node:util';
import type { JobOptions } from '../calcjob/define-calcjob.js';
import { messageOf, WherryError } from '../errors.js';
import { type ExitCodeTemplates, expectProcess, type ProcessDefinition } from '../process/definition.js';
import type { InputsOf, OutputDataOf, OutputsOf } from '../process/inputs.js';
import type { Begin, Execution } from './execution.js';
import { ExitSignal } from './function-end.js';
import { type CallRecord, fingerprintOf, type RecordedError } from './record.js';
import { ProcessFailed, type ProcessResult } from './result.js';

/** How a process is called. */
export interface CallOptions {
  /** For people: shown in lists. */
  readonly label?: string;
  readonly description?: string;
  /** Of a calcjob: where it runs, with which resources, and what else its job may say. */
  readonly job?: JobOptions;
  /** May it take over what an equal process gave? Default: as its definition says. */
  readonly cache?: boolean;
}

/** What a host has to know to store a child, or an output. */
export type CallRequest =
  | {
      readonly type: 'process';
      readonly uuid: string;
      readonly definition: ProcessDefinition;
      readonly inputs: unknown;
      readonly options: CallOptions;
    }
  | { readonly type: 'output'; readonly label: string; readonly value: unknown };

/** What a context asks its host for beside storing. */
export interface ContextHost<Prepared> {
  prepare(request: CallRequest): Promise<Prepared>;
  readonly random: () => number;
  readonly uuid: () => string;
}

/** A process that has been submitted. Awaiting it gives its outputs; it fails with ProcessFailed when it ends otherwise. */
export interface ProcessHandle<Outputs, OutputData = unknown> extends PromiseLike<Outputs> {
  readonly uuid: string;
  /** How it ended, well or not. */
  result(): Promise<ProcessResult<Outputs, OutputData>>;
  /** Its outputs as stored data: passed on, they keep where they came from. Fails with ProcessFailed like the outputs. */
  data(): Promise<ProcessResult<Outputs, OutputData>['data']>;
}

/**
 * What the function of a workflow works with. Everything it does through its context is recorded and done once; when
 * the function is replayed it gets the same answers. What it does beside it (files, network, `Date.now()`) is done anew
 * by every replay, and may lead it elsewhere.
 */
export class WorkflowContext<Codes extends ExitCodeTemplates = ExitCodeTemplates, InputData = unknown> {
  readonly #execution: Execution<unknown>;
  readonly #host: ContextHost<unknown>;
  /** Its inputs as the stored data that they are: passed on, they keep where they came from. */
  readonly inputData: InputData;
  /** Outputs that were given before the end, by their labels. */
  readonly emitted = new Map<string, unknown>();

  constructor(execution: Execution<unknown>, host: ContextHost<unknown>, inputData: InputData) {
    this.#execution = execution;
    this.#host = host;
    this.inputData = inputData;
  }

  /** Aborted when the workflow is killed, or goes on elsewhere. */
  get signal(): AbortSignal {
    return this.#execution.signal;
  }

  /** Runs a process and gives its outputs. Errors: ProcessFailed; `bad-input` when its inputs are refused. */
  async run<Definition extends ProcessDefinition>(
    definition: Definition,
    inputs: InputsOf<Definition>,
    options: CallOptions = {},
  ): Promise<OutputsOf<Definition>> {
    return this.submit(definition, inputs, options);
  }

  /** Begins a process, which goes on by itself; await the handle for its outputs. */
  submit<Definition extends ProcessDefinition>(
    definition: Definition,
    inputs: InputsOf<Definition>,
    options: CallOptions = {},
  ): ProcessHandle<OutputsOf<Definition>, OutputDataOf<Definition>> {
    expectProcess(definition);
    const execution = this.#execution;
    const uuid = this.#host.uuid();
    const asked: CallRecord = {
      type: 'process',
      name: definition.name,
      fingerprint: fingerprintOf(options.job === undefined ? inputs : { inputs, job: options.job }),
      child: uuid,
    };
    let made: CallRecord = asked;
    const ended = new Promise<ProcessResult<OutputsOf<Definition>, OutputDataOf<Definition>>>((resolve, reject) => {
      made = execution.call(asked, {
        ready: () => this.#host.prepare({ type: 'process', uuid, definition, inputs, options }),
        answer: (answer) => {
          if (answer.type === 'failed') reject(errorOf(answer.error));
          else resolve(execution.resultOf(childOf(made)) as never);
        },
      });
    });
    // A handle that nobody awaits is no error of this program.
    ended.catch(() => undefined);
    const successful = async () => {
      const result = await ended;
      if (result.ok) return result;
      throw new ProcessFailed(result as ProcessResult);
    };
    const outputs = async () => (await successful()).outputs;
    return {
      uuid: made.type === 'process' ? (made.child ?? uuid) : uuid,
      result: () => ended,
      data: async () => (await successful()).data,
      // biome-ignore lint/suspicious/noThenProperty: awaiting a handle is what it is for
      then: (onOutputs, onError) => outputs().then(onOutputs, onError),
    };
  }

  /**
   * Does something that must not be done again by a replay, and keeps what it gives (JSON). When the worker dies in the
   * middle it is done anew: so it happens at least once.
   * Errors: those of `work`, by their message and code.
   */
  step<T>(name: string, work: (signal: AbortSignal) => T | Promise<T>): Promise<T> {
    const { signal } = this.#execution;
    return this.#answered<T>({ type: 'step', name }, (tell) => {
      Promise.resolve()
        .then(() => work(signal))
        .then(
          (value) => tell({ type: 'done', value: asJson(value, name) }),
          (error: unknown) => tell({ type: 'failed', error: recorded(error) }),
        )
        .catch((error: unknown) => tell({ type: 'failed', error: recorded(error) }));
    });
  }

  /** Waits, without holding anything: also for weeks, and across restarts. @param milliseconds or until a time */
  sleep(milliseconds: number | Date): Promise<void> {
    const until = milliseconds instanceof Date ? milliseconds.getTime() : this.#execution.now + milliseconds;
    if (!Number.isFinite(until)) {
      throw new WherryError('bad-input', `${String(milliseconds)} is no time to sleep: give milliseconds or a date`);
    }
    return this.#answered<void>({ type: 'sleep', until });
  }

  /** Pauses the workflow, for somebody to look at it, until it is played. What it has called goes on. */
  pause(reason: string): Promise<void> {
    return this.#answered<void>({ type: 'pause', reason });
  }

  /** Writes a line into the report of the workflow. */
  report(message: string): void {
    this.#execution.call({ type: 'report', message: typeof message === 'string' ? message : inspect(message) });
  }

  /** Gives an output before the end. What is not declared, or is no value for it, excepts the workflow. */
  out(label: string, value: unknown): void {
    if (this.emitted.has(label)) throw new WherryError('bad-definition', `the output ${label} was given twice`);
    this.emitted.set(label, value);
    this.#execution.call(
      { type: 'output', label, fingerprint: fingerprintOf(value) },
      { ready: () => this.#host.prepare({ type: 'output', label, value }) },
    );
  }

  /** Ends the workflow with one of its exit codes, from wherever it is. */
  exit(label: keyof Codes & string, parameters: Readonly<Record<string, string | number>> = {}): never {
    throw new ExitSignal(label, parameters);
  }

  /** Milliseconds since the epoch: the same in every replay. */
  now(): number {
    return this.#value('now', this.#execution.now) as number;
  }

  /** From 0 to 1: the same in every replay. */
  random(): number {
    return this.#value('random', this.#host.random()) as number;
  }

  /** A new uuid: the same in every replay. */
  uuid(): string {
    return this.#value('uuid', this.#host.uuid()) as string;
  }

  /**
   * Does something for each of many, so many at once, and gives the results in the order of the items. The first
   * failure ends it; what has begun goes on, and nothing more is begun.
   */
  async parallel<Item, Result>(
    items: readonly Item[],
    work: (item: Item, index: number) => Promise<Result>,
    options: { readonly atOnce?: number } = {},
  ): Promise<Result[]> {
    const { atOnce = items.length } = options;
    if (!(atOnce >= 1) && items.length > 0) throw new WherryError('bad-input', 'atOnce must be at least 1');
    const results: Result[] = [];
    let next = 0;
    const take = async () => {
      for (let index = next++; index < items.length; index = next++) {
        try {
          results[index] = await work(items[index] as Item, index);
        } catch (error) {
          next = items.length;
          throw error;
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, take));
    return results;
  }

  #value(of: 'now' | 'random' | 'uuid', value: number | string): number | string {
    const made = this.#execution.call({ type: 'value', of, value });
    return made.type === 'value' ? made.value : value;
  }

  #answered<T>(record: CallRecord, begin?: Begin): Promise<T> {
    const promise = new Promise<T>((resolve, reject) => {
      this.#execution.call(record, {
        begin,
        answer: (answer) => {
          if (answer.type === 'failed') reject(errorOf(answer.error));
          else resolve((answer.type === 'done' ? answer.value : undefined) as T);
        },
      });
    });
    promise.catch(() => undefined);
    return promise;
  }
}

function childOf(record: CallRecord): string {
  if (record.type === 'process' && record.child !== null) return record.child;
  throw new WherryError('internal', 'the call has no child');
}

/** JSON keeps what can be kept, so that the first run gets what a replay would. */
function asJson(value: unknown, name: string): unknown {
  if (value === undefined) return null;
  try {
    return JSON.parse(JSON.stringify(value)) as unknown;
  } catch (error) {
    throw new WherryError('bad-input', `what the step ${JSON.stringify(name)} gave is no JSON: ${messageOf(error)}`);
  }
}

function recorded(error: unknown): RecordedError {
  const stack = error instanceof Error ? error.stack?.slice(0, longestStack) : undefined;
  return { code: error instanceof WherryError ? error.code : 'computation-failed', message: messageOf(error), stack };
}

/** Characters of a stack that are worth keeping. */
const longestStack = 4_000;

function errorOf({ code, message, stack }: RecordedError): WherryError {
  const error = new WherryError(code as WherryError['code'], message);
  // The stack of this program tells nothing; that of the code which failed does.
  if (stack !== undefined) error.stack = stack;
  return error;
}
