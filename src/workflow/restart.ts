import { z } from 'zod';
import type { JobOptions } from '../calcjob/define-calcjob.js';
import { jobOptionsSchema } from '../calcjob/job-options.js';
import { WherryError } from '../errors.js';
import type { Data } from '../process/data.js';
import { type ExitCodeTemplates, type ProcessDefinition, register } from '../process/definition.js';
import { exposedCheck, exposedInputs, exposedOutputs, exposeInputs } from '../process/expose.js';
import { namespace, type ZodNamespace } from '../process/namespace.js';
import { portsOf } from '../process/spec.js';
import type { WorkflowContext } from './context.js';
import type { WorkflowDefinition } from './define-workflow.js';
import {
  answerOf,
  concerns,
  flawsOfHandlers,
  type HandlerOverride,
  type Handlers,
  inOrder,
  type RestartHandler,
} from './restart-handlers.js';
import { changed, changedJob, seen } from './restart-inputs.js';
import type { ProcessResult } from './result.js';

/** How every workflow that tries again can end, beside the exit codes of its own. */
const restartExitCodes = {
  CHILD_EXCEPTED: { status: 301, message: 'process {id} is excepted: {reason}' },
  CHILD_KILLED: { status: 302, message: 'process {id} was killed: {reason}' },
  TOO_MANY_TRIES: { status: 401, message: '{tries} tries were not enough; the last was process {id}: {reason}' },
  UNHANDLED_FAILURE: { status: 402, message: 'no handler had an answer to the end of process {id}: {reason}' },
} as const satisfies ExitCodeTemplates;

const whenUnhandled = ['abort', 'pause', 'restart-once'] as const;

/** What is said of the tries themselves, as values and as the data that a workflow is given. */
interface Settings {
  readonly maxIterations: number;
  readonly onUnhandled: (typeof whenUnhandled)[number];
  readonly handlers: Readonly<Record<string, HandlerOverride | undefined>>;
  readonly cleanWorkDirectories: boolean;
}

type SettingsShape<Names extends string> = {
  readonly maxIterations: z.ZodDefault<z.ZodInt>;
  readonly onUnhandled: z.ZodDefault<z.ZodEnum<{ [Way in (typeof whenUnhandled)[number]]: Way }>>;
  readonly handlers: z.ZodDefault<z.ZodType<Overrides<Names>, Overrides<Names>>>;
  readonly cleanWorkDirectories: z.ZodDefault<z.ZodBoolean>;
};

type Overrides<Names extends string> = { readonly [Name in Names]?: HandlerOverride | undefined };

type JobShape<Child> = Child extends { readonly kind: 'calcjob' }
  ? { readonly job: z.ZodOptional<z.ZodType<JobOptions, JobOptions>> }
  : unknown;

/** What the child takes, what handlers take, and what is said of the tries. */
type RestartInputs<Child extends ProcessDefinition, Names extends string, Own extends z.ZodObject> = z.ZodObject<
  Child['inputs']['shape'] & Own['shape'] & JobShape<Child> & { readonly restart: ZodNamespace<SettingsShape<Names>> }
>;

/** A workflow that tries again, as its author writes it. */
export interface RestartSpec<
  Child extends ProcessDefinition,
  Names extends string,
  Codes extends ExitCodeTemplates,
  Own extends z.ZodObject,
> {
  readonly name: string;
  readonly version?: number;
  readonly description?: string;
  /** What is run until it has ended well: a calcjob, or anything else. */
  readonly of: Child;
  /** What it takes beside the inputs of the process, for its handlers. */
  readonly inputs?: Own;
  /** For handlers to exit with, beside those that all such workflows have (301, 302, 401, 402). */
  readonly exitCodes?: Codes;
  /** By names, under which the inputs of the workflow can change their order or leave them out. */
  readonly handlers: { readonly [Name in Names]: RestartHandler<Child, Codes, Own> };
}

/**
 * Defines a workflow that runs a process until it has ended well. After each try, handlers look at how it ended and say
 * what to change. The workflow takes what the process takes, the `job` of a calcjob, and in `restart`: `maxIterations`
 * (5), `onUnhandled` (`abort`, `pause` or `restart-once`), `handlers`, with `enabled` and `priority` for each by name, and
 * `cleanWorkDirectories` (false). It gives what the last try gave.
 * Errors: `bad-definition` as for any workflow, and for handlers of exit codes that the process does not have
 *
 * @example
 * export const PatientRelax = defineRestartWorkflow({
 *   name: 'relax.patient',
 *   of: Relax,
 *   handlers: {
 *     notConverged: {
 *       exitCodes: ['NOT_CONVERGED'],
 *       handle: ({ inputs }) => ({ inputs: { steps: 2 * inputs.steps } }),
 *     },
 *   },
 * });
 */
export function defineRestartWorkflow<
  Child extends ProcessDefinition,
  Names extends string,
  const Codes extends ExitCodeTemplates = Record<never, never>,
  Own extends z.ZodObject = z.ZodObject<Record<never, never>>,
>(
  spec: RestartSpec<Child, Names, Codes, Own>,
): WorkflowDefinition<RestartInputs<Child, Names, Own>, Child['outputs'], Codes & typeof restartExitCodes> {
  const { name, version = 1, description, of } = spec;
  const handlers = spec.handlers as unknown as Handlers;
  const own: z.ZodObject = spec.inputs ?? z.object({});
  const settings = {
    ...(of.kind === 'calcjob' ? { job: jobOptionsSchema.optional().describe('what is said of its job') } : {}),
    restart: settingsSchema(Object.keys(handlers)),
  };
  const flaws = [...flawsOfNames(of, own, settings), ...flawsOfHandlers(of, handlers)];
  if (flaws.length > 0) throw new WherryError('bad-definition', `${name}: ${flaws.join('; ')}`);
  const definition = {
    name,
    version,
    ...(description === undefined ? {} : { description }),
    kind: 'workflow' as const,
    inputs: z
      .object({ ...exposeInputs(of), ...own.shape, ...settings })
      .check(exposedCheck(of), exposedCheck({ inputs: own })),
    outputs: of.outputs,
    exitCodes: { ...spec.exitCodes, ...restartExitCodes },
    // Inputs that no handler changes stay the data that they are.
    takesData: true,
    // One that was begun before there was this input has none.
    cleansUp: ({ restart }: GivenData) => restart.cleanWorkDirectories?.value ?? false,
    run: (ctx: WorkflowContext, data: GivenData) => tryUntilGood(ctx, { of, own, handlers }, data),
  };
  return register(definition) as never;
}

/** Names that stand for two inputs. */
function flawsOfNames(of: ProcessDefinition, own: z.ZodObject, settings: object): string[] {
  const flaws: string[] = [];
  for (const name of Object.keys({ ...own.shape, ...settings })) {
    const takers = [
      ...(Object.hasOwn(of.inputs.shape, name) ? [of.name] : []),
      ...(Object.hasOwn(own.shape, name) ? ['the inputs for handlers'] : []),
      ...(Object.hasOwn(settings, name) ? ['every workflow that tries again'] : []),
    ];
    if (takers.length > 1) flaws.push(`the input ${name} is one of ${takers.join(' and of ')}`);
  }
  return flaws;
}

function settingsSchema(names: readonly string[]) {
  const override = z.strictObject({ enabled: z.boolean().optional(), priority: z.number().optional() });
  return namespace(
    {
      maxIterations: z.int().min(1).default(5).describe('how many tries there are at most'),
      onUnhandled: z.enum(whenUnhandled).default('abort').describe('after a failure that no handler has an answer to'),
      handlers: z
        .strictObject(Object.fromEntries(names.map((handler) => [handler, override.optional()])))
        .default({})
        .describe('enabled and priority of each, by its name'),
      cleanWorkDirectories: z
        .boolean()
        .default(false)
        .describe('when it has ended well: remove the work directories of all calcjobs below it'),
    },
    { help: 'how it is tried again' },
  );
}

/** The inputs of the workflow, as data. */
interface GivenData {
  readonly job?: Data<JobOptions>;
  readonly restart: { readonly [Name in Exclude<keyof Settings, 'cleanWorkDirectories'>]: Data<Settings[Name]> } & {
    readonly cleanWorkDirectories?: Data<boolean>;
  };
}

/** What is tried, and what is asked. */
interface Trial {
  readonly of: ProcessDefinition;
  /** The inputs for handlers. */
  readonly own: z.ZodObject;
  readonly handlers: Handlers;
}

async function tryUntilGood(ctx: WorkflowContext, { of, own, handlers }: Trial, given: GivenData): Promise<unknown> {
  const { maxIterations, onUnhandled } = given.restart;
  const asked = inOrder(handlers, given.restart.handlers.value);
  const ports = portsOf(of.inputs);
  let inputs = exposedInputs(of, given) as Readonly<Record<string, unknown>>;
  const forHandlers = seen(portsOf(own), exposedInputs({ inputs: own }, given) as Readonly<Record<string, unknown>>);
  let job: JobOptions | undefined = of.kind === 'calcjob' ? given.job?.value : undefined;
  let hadNoAnswer = false;
  for (let iteration = 1; ; iteration++) {
    const options = job === undefined ? {} : { job };
    const result: ProcessResult = await ctx.submit(of, inputs as never, options).result();
    const end = { id: result.id, reason: reasonOf(result) };
    if (result.state !== 'finished') ctx.exit(result.state === 'killed' ? 'CHILD_KILLED' : 'CHILD_EXCEPTED', end);
    const answers: string[] = [];
    for (const { name, handler } of asked) {
      if (!concerns(handler, result)) continue;
      const attempt = { ctx, result, inputs: seen(ports, inputs), job: job ?? {}, own: forHandlers, iteration };
      const answer = answerOf(name, await handler.handle(attempt as never));
      if (answer === undefined) continue;
      answers.push(name);
      inputs = changed(ports, inputs, answer.inputs ?? {});
      if (answer.job !== undefined) job = changedJob(job ?? {}, answer.job);
      if (answer.last === true) break;
    }
    const how = `try ${iteration} of ${maxIterations.value}, process ${result.id}: ${end.reason}`;
    if (answers.length > 0) ctx.report(`${how}; answered by ${answers.join(', ')}`);
    else if (result.ok) return exposedOutputs(of, result.data);
    else if (onUnhandled.value === 'pause') {
      await ctx.pause(`no handler has an answer: ${how}`);
      // Somebody has looked at it: the tries are counted anew.
      iteration = 0;
    } else if (onUnhandled.value === 'abort' || hadNoAnswer) ctx.exit('UNHANDLED_FAILURE', end);
    else ctx.report(`${how}; no handler has an answer, it is tried once more`);
    hadNoAnswer = answers.length === 0;
    if (iteration >= maxIterations.value) ctx.exit('TOO_MANY_TRIES', { ...end, tries: iteration });
  }
}

function reasonOf({ ok, exit, reason }: ProcessResult): string {
  if (ok) return 'it ended well';
  return exit === null ? (reason ?? 'nobody knows why') : `exit status ${exit.status}, ${exit.message || exit.label}`;
}
