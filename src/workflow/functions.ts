import { z } from 'zod';
import { WherryError } from '../errors.js';
import { Data } from '../process/data.js';
import { type ProcessDefinition, type ProcessSpec, register } from '../process/definition.js';
import { anyData } from '../process/namespace.js';
import { currentCaller } from './caller.js';
import type { WorkflowDefinition } from './define-workflow.js';
import { ProcessFailed } from './result.js';

/** What may be said of a function beside its name. */
export interface FunctionOptions {
  readonly version?: number;
  readonly description?: string;
  /** By the names of the parameters; what is not given here may be any data. */
  readonly inputs?: z.ZodObject;
  /** Where the function gives an object of several named outputs; default: one that is called `result`. */
  readonly outputs?: z.ZodObject;
  /** May a call take over what an equal one gave? Default: false. */
  readonly cache?: boolean;
}

/** A function whose calls are processes: what it takes and gives is stored. */
export interface FunctionDefinition extends ProcessDefinition {
  readonly kind: 'function';
  /** Names of its parameters, in order: those of its inputs. */
  readonly parameters: readonly string[];
  readonly body: (...values: never[]) => unknown;
}

/** Any of the values may be the data that another process gave: then it is known where it came from. */
type Given<Values extends readonly unknown[]> = {
  [Index in keyof Values]: NonNullable<Values[Index]> extends Data<infer Value>
    ? Values[Index] | Value
    : Values[Index] | Data<Values[Index]>;
};
type Stored<Result> = Result extends Data | Readonly<Record<string, Data>> ? Result : Data<Result>;

/** A function of plain values, called with values or data; it gives data. */
export type CalcFunction<Values extends readonly unknown[], Result> = FunctionDefinition &
  ((...values: Given<Values>) => Promise<Data<Result>>);

/** A function of data, called with values or data; it gives data, one piece or several by their names. */
export type WorkFunction<Values extends readonly unknown[], Result> = WorkflowDefinition &
  ((...values: Given<Values>) => Promise<Stored<Result>>);

/** The only output of a function that names none. */
const singleOutput = 'result';

/**
 * Makes a function whose calls are stored: its inputs, its outputs, and who called it. It computes, from plain values;
 * the same inputs always give the same outputs. It may be run anew when its worker dies.
 *
 * @example
 * const add = calcfunction('add', (x: number, y: number) => x + y);
 * const sum = await add(1, 2); // sum.value is 3, and sum can be passed on
 */
export function calcfunction<Values extends readonly unknown[], Result>(
  name: string,
  body: (...values: Values) => Result | Promise<Result>,
  options: FunctionOptions = {},
): CalcFunction<Values, Result> {
  const definition = { ...specOf(name, body, options), kind: 'function' as const, body };
  return callable(definition) as unknown as CalcFunction<Values, Result>;
}

/**
 * Makes a function that calls others and passes on what they give: a workflow without a context. It is given data, so
 * that what it passes on keeps its identity.
 *
 * @example
 * const addAndMultiply = workfunction('addAndMultiply', async (x: Data<number>, y: Data<number>, z: Data<number>) =>
 *   multiply(await add(x, y), z),
 * );
 */
export function workfunction<Values extends readonly (Data | undefined)[], Result>(
  name: string,
  body: (...values: Values) => Promise<Result>,
  options: FunctionOptions = {},
): WorkFunction<Values, Result> {
  const spec = specOf(name, body, { outputs: z.object({}).catchall(anyData()), ...options });
  const run = async (_context: unknown, data: Readonly<Record<string, unknown>>) => {
    const given = await body(...(spec.parameters.map((parameter) => data[parameter]) as unknown as Values));
    return namedOutputs(spec, given);
  };
  return callable({ ...spec, kind: 'workflow' as const, run, takesData: true }) as unknown as WorkFunction<
    Values,
    Result
  >;
}

/** What a function gave, by the names of its outputs. */
export function namedOutputs({ outputs }: ProcessSpec, given: unknown): Readonly<Record<string, unknown>> {
  if (singleOutput in outputs.shape) return { [singleOutput]: given };
  const isNamed = Object.keys(outputs.shape).length > 0 || isObjectOfData(given);
  return isNamed ? ((given ?? {}) as Readonly<Record<string, unknown>>) : { [singleOutput]: given };
}

function isObjectOfData(given: unknown): boolean {
  if (typeof given !== 'object' || given === null || given instanceof Data || Array.isArray(given)) return false;
  const values = Object.values(given);
  return values.length > 0 && values.every((value) => value instanceof Data);
}

function specOf(name: string, body: (...values: never[]) => unknown, options: FunctionOptions) {
  const inputs = options.inputs ?? z.object(Object.fromEntries(parametersOf(name, body)));
  const parameters = Object.keys(inputs.shape);
  const { version = 1, outputs = z.object({ [singleOutput]: anyData() }) } = options;
  const description = options.description === undefined ? {} : { description: options.description };
  const cache = options.cache === undefined ? {} : { cache: options.cache };
  return { name, version, inputs, outputs, parameters, ...description, ...cache };
}

/** The names of simple parameters stand in the text of a function; those with a default may be left out. */
function parametersOf(name: string, body: (...values: never[]) => unknown): [string, z.ZodType][] {
  const text = body.toString().replace(/\/\*.*?\*\/|\/\/[^\n]*/gs, '');
  const list = /^(?:async\s*)?(?:function\b[^(]*)?\(([^)]*)\)|^(?:async\s+)?([A-Za-z_$][\w$]*)\s*=>/.exec(text);
  const parts = (list?.[1] ?? list?.[2] ?? '').split(',').filter((part) => part.trim() !== '');
  // A default that calls something may have commas in it, and its end is not seen.
  const simple = /^\s*([A-Za-z_$][\w$]*)\s*(=[^(]*)?$/;
  const found = parts.map((part): [string, z.ZodType] => {
    const [, parameter = '', preset] = simple.exec(part) ?? [];
    return [parameter, preset === undefined ? anyData() : anyData().optional()];
  });
  if (list !== null && found.length >= body.length && found.every(([parameter]) => parameter !== '')) return found;
  throw new WherryError('bad-definition', `the parameters of ${name} have no simple names`, {
    hint: 'give them by the option inputs: z.object({ name: schema, … }), in their order',
  });
}

interface FunctionParts extends ProcessDefinition {
  readonly parameters: readonly string[];
  readonly body?: unknown;
  readonly run?: unknown;
  readonly takesData?: boolean;
}

function callable(definition: FunctionParts): unknown {
  const { name, parameters } = definition;
  const call = async (...values: readonly unknown[]): Promise<unknown> => {
    if (values.length > parameters.length) {
      throw new WherryError('bad-input', `${name} takes ${parameters.length} values and was given ${values.length}`);
    }
    const inputs = Object.fromEntries(values.map((value, index) => [parameters[index], value]));
    const result = await currentCaller(name).call(known, inputs);
    if (!result.ok) throw new ProcessFailed(result);
    const [only, ...others] = Object.keys(result.data);
    return only === singleOutput && others.length === 0 ? result.data[singleOutput] : result.data;
  };
  const { name: _, ...rest } = definition;
  const known = Object.assign(
    Object.defineProperty(call, 'name', { value: name }),
    rest,
  ) as unknown as ProcessDefinition;
  return register(known);
}
