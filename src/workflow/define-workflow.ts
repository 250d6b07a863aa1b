import type { z } from 'zod';
import {
  type ExitCodeTemplates,
  expectFunction,
  type ProcessDefinition,
  type ProcessSpec,
  register,
} from '../process/definition.js';
import type { GivenOutputsOf, InputDataOf, SeenInputsOf } from '../process/inputs.js';
import type { WorkflowContext } from './context.js';

/** A workflow as its author writes it. */
export interface WorkflowSpec<Inputs extends z.ZodObject, Outputs extends z.ZodObject, Codes extends ExitCodeTemplates>
  extends ProcessSpec<Inputs, Outputs, Codes> {
  /** An ordinary async function. It is made durable by what it does through its context. */
  run(
    context: WorkflowContext<Codes, InputDataOf<{ readonly inputs: Inputs }>>,
    inputs: SeenInputsOf<{ readonly inputs: Inputs }>,
  ): Promise<GivenOutputsOf<{ readonly outputs: Outputs }>>;
}

/** A workflow that can be run, submitted, and called by others. */
export interface WorkflowDefinition<
  Inputs extends z.ZodObject = z.ZodObject,
  Outputs extends z.ZodObject = z.ZodObject,
  Codes extends ExitCodeTemplates = ExitCodeTemplates,
> extends ProcessDefinition<Inputs, Outputs, Codes> {
  readonly kind: 'workflow';
  /** @param inputs plain values, or the data itself where `takesData` */
  readonly run: (context: WorkflowContext<Codes, never>, inputs: never) => Promise<unknown>;
  /** It is given the stored data instead of plain values. */
  readonly takesData?: boolean;
  /** When it has ended with status 0: are the work directories of the calcjobs below it to be removed? */
  readonly cleansUp?: (inputs: never) => boolean;
}

/**
 * Defines a workflow: an ordinary async function that survives every restart.
 * Errors: `bad-definition` for a name that cannot be one, or that is taken.
 *
 * @example
 * export const Chain = defineWorkflow({
 *   name: 'arithmetic.chain',
 *   inputs: z.object({ n: z.number() }),
 *   outputs: z.object({ total: z.number() }),
 *   async run(ctx, { n }) {
 *     let total = 0;
 *     for (let i = 0; i < n; i++) total = (await ctx.run(Add, { x: total, y: i })).sum;
 *     return { total };
 *   },
 * });
 */
export function defineWorkflow<
  Inputs extends z.ZodObject,
  Outputs extends z.ZodObject,
  const Codes extends ExitCodeTemplates = Record<never, never>,
>(spec: WorkflowSpec<Inputs, Outputs, Codes>): WorkflowDefinition<Inputs, Outputs, Codes> {
  expectFunction(spec.name, 'run', spec.run);
  return register({ version: 1, ...spec, kind: 'workflow' } as WorkflowDefinition<Inputs, Outputs, Codes>);
}
