import type { z } from 'zod';
import type { JobOptions } from '../calcjob/define-calcjob.js';
import { WherryError } from '../errors.js';
import type { Data } from '../process/data.js';
import type { ExitCodeTemplates, ProcessDefinition } from '../process/definition.js';
import { type StandardExitCode, standardExitCodes } from '../process/exit-codes.js';
import type { InputsOf, OutputDataOf, OutputsOf, SeenInputsOf } from '../process/inputs.js';
import type { WorkflowContext } from './context.js';
import type { ProcessResult } from './result.js';

/** One try that has finished, well or not, as handlers see it. */
export interface Attempt<Child extends ProcessDefinition, Codes extends ExitCodeTemplates, Own extends z.ZodObject> {
  /** Of the workflow: whatever else a handler does is done through it, as in every workflow. */
  readonly ctx: WorkflowContext<Codes>;
  /** How it ended. Of a failed try some outputs may be missing. */
  readonly result: ProcessResult<Partial<OutputsOf<Child>>, Partial<OutputDataOf<Child>>>;
  /** What it was given, with what handlers before this one have changed for the next try. */
  readonly inputs: SeenInputsOf<Child>;
  /** What was said of its job, likewise; empty when nothing was. */
  readonly job: JobOptions;
  /** The inputs that the workflow takes for its handlers. */
  readonly own: z.output<Own>;
  /** From 1. */
  readonly iteration: number;
}

/** What a handler that has an answer to an attempt gives: it is tried again. */
export interface NextTry<Child extends ProcessDefinition> {
  /** Inputs that change, those in a namespace one by one; undefined takes one away. All others stay the same data. */
  readonly inputs?: ChangesOf<InputsOf<Child>>;
  /** What changes of the job of a calcjob; resources and environment one by one. */
  readonly job?: JobOptions;
  /** No other handler is asked. */
  readonly last?: boolean;
}

export type ChangesOf<Given> = { readonly [Name in keyof Given]?: Change<Given[Name]> | undefined };

/** A value can also be given as data, a namespace cannot. */
type Change<Given> = unknown extends Given
  ? unknown
  : [Extract<Given, Data>] extends [never]
    ? ChangesOf<NonNullable<Given>>
    : Given;

/** What to do about one kind of end. */
export interface RestartHandler<
  Child extends ProcessDefinition,
  Codes extends ExitCodeTemplates,
  Own extends z.ZodObject,
> {
  /** Larger is asked first; the same in the order in which they are written. Default: 0. */
  readonly priority?: number;
  /** Only after these, by label or status; 0 is success. Default: after every failure, and after no success. */
  readonly exitCodes?: readonly (LabelOf<Child> | StandardExitCode | number)[];
  /** Default: true. */
  readonly enabled?: boolean;
  /**
   * Gives what to try next, or nothing where it has no answer. `ctx.exit` ends the workflow.
   */
  handle(
    attempt: Attempt<Child, Codes, Own>,
    // biome-ignore lint/suspicious/noConfusingVoidType: a handler that only looks returns nothing
  ): NextTry<Child> | undefined | void | Promise<NextTry<Child> | undefined | void>;
}

// biome-ignore lint/suspicious/noExplicitAny: whatever its ports are
type LabelOf<Child> = Child extends ProcessDefinition<any, any, infer Codes> ? keyof Codes & string : never;

/** What is known of handlers when they are asked. */
export type Handlers = Readonly<Record<string, RestartHandler<ProcessDefinition, ExitCodeTemplates, z.ZodObject>>>;

/** What the inputs of a workflow say of one of its handlers. */
export interface HandlerOverride {
  readonly enabled?: boolean | undefined;
  readonly priority?: number | undefined;
}

/** Those that are to be asked, in their order. */
export function inOrder(handlers: Handlers, overrides: Readonly<Record<string, HandlerOverride | undefined>>) {
  return Object.entries(handlers)
    .map(([name, handler]) => ({
      name,
      handler,
      priority: overrides[name]?.priority ?? handler.priority ?? 0,
      enabled: overrides[name]?.enabled ?? handler.enabled ?? true,
    }))
    .filter(({ enabled }) => enabled)
    .sort((one, other) => other.priority - one.priority);
}

/** Is a handler for this end? */
export function concerns({ exitCodes }: Handlers[string], { ok, exit }: ProcessResult): boolean {
  if (exitCodes === undefined) return !ok;
  return exitCodes.some((code) => (typeof code === 'number' ? code === (exit?.status ?? 0) : code === exit?.label));
}

/** What a handler gave, checked. Errors: `bad-definition` for anything that is no answer. */
export function answerOf(name: string, gave: unknown): NextTry<ProcessDefinition> | undefined {
  if (gave === undefined || gave === null) return undefined;
  const known = ['inputs', 'job', 'last'];
  const unknown = typeof gave === 'object' ? Object.keys(gave).filter((key) => !known.includes(key)) : [typeof gave];
  if (unknown.length === 0) return gave as NextTry<ProcessDefinition>;
  throw new WherryError('bad-definition', `the handler ${name} gave ${unknown.join(', ')}`, {
    hint: 'it may give nothing, or an object with some of inputs, job and last',
  });
}

/** What is wrong with handlers of a process; empty when nothing is. */
export function flawsOfHandlers(of: ProcessDefinition, handlers: Handlers): string[] {
  const labels = new Set([...Object.keys(of.exitCodes ?? {}), ...Object.keys(standardExitCodes)]);
  return Object.entries(handlers).flatMap(([name, { exitCodes = [] }]) =>
    exitCodes
      .filter((code) => typeof code === 'string' && !labels.has(code))
      .map((code) => `the handler ${name} is for ${code}, which is no exit code of ${of.name}`),
  );
}
