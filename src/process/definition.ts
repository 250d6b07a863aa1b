import { AsyncLocalStorage } from 'node:async_hooks';
import type { z } from 'zod';
import { WherryError } from '../errors.js';
import { type ExitCodeTemplates, flawsOfExitCodes } from './exit-code-template.js';
import { portsOf } from './spec.js';

export type { ExitCodeTemplate, ExitCodeTemplates } from './exit-code-template.js';

/** What kinds of processes there are. */
export const processKinds = ['calcjob', 'workflow', 'function'] as const;
export type ProcessKind = (typeof processKinds)[number];

/** What every definition of a process says of itself, whatever its kind. */
export interface ProcessSpec<
  Inputs extends z.ZodObject = z.ZodObject,
  Outputs extends z.ZodObject = z.ZodObject,
  Codes extends ExitCodeTemplates = ExitCodeTemplates,
> {
  /** Unique among all definitions of a profile, such as `arithmetic.add`. */
  readonly name: string;
  /** Raised when equal inputs may give other outputs, or a workflow takes another way. Default: 1. */
  readonly version?: number;
  /** One paragraph for people. */
  readonly description?: string;
  readonly inputs: Inputs;
  readonly outputs: Outputs;
  readonly exitCodes?: Codes;
  /**
   * May a new process take over what an equal one gave, unless its caller says otherwise? Equal: the same version, inputs
   * and job. Only of what calculates, calcjobs and calcfunctions. Default: false.
   */
  readonly cache?: boolean;
}

/** A definition that this program knows: its spec and its kind; what else it has is known to who runs that kind. */
export interface ProcessDefinition<
  Inputs extends z.ZodObject = z.ZodObject,
  Outputs extends z.ZodObject = z.ZodObject,
  Codes extends ExitCodeTemplates = ExitCodeTemplates,
> extends ProcessSpec<Inputs, Outputs, Codes> {
  readonly kind: ProcessKind;
  readonly version: number;
}

const known = new Map<string, ProcessDefinition>();
/** The module that is being loaded, in whatever its loading leads to; and by which one a process was defined. */
const loading = new AsyncLocalStorage<string>();
const modules = new Map<string, string>();

/**
 * Makes a definition known by its name, so that a process can be continued by who knows nothing but that name.
 * Errors: `bad-definition` for a name that cannot be one or that another definition has, and for ports or exit codes that
 * cannot be.
 */
export function register<Definition extends ProcessDefinition>(definition: Definition): Definition {
  const { name, version } = definition;
  if (!/^[A-Za-z][\w-]*(\.[\w-]+)*$/.test(name)) {
    throw new WherryError('bad-definition', `${JSON.stringify(name)} cannot be the name of a process`, {
      hint: 'use letters, digits, "-" and "_", in parts with dots between them, such as arithmetic.add',
    });
  }
  if (!Number.isInteger(version) || version < 1) {
    throw new WherryError('bad-definition', `the version of ${name} must be a whole number from 1 on`);
  }
  checkPorts(definition);
  const flaws = flawsOfExitCodes(definition.exitCodes ?? {});
  if (flaws.length > 0) throw new WherryError('bad-definition', `the exit codes of ${name}: ${flaws.join('; ')}`);
  if (known.has(name)) {
    throw new WherryError('bad-definition', `there are two processes with the name ${name}`, {
      hint: 'give one of them another name',
    });
  }
  known.set(name, definition);
  const module = loading.getStore();
  if (module !== undefined) modules.set(name, module);
  return definition;
}

/** Errors: `bad-definition` for what is no definition of a process, such as nothing at all. */
export function expectProcess(given: unknown): asserts given is ProcessDefinition {
  const isObject = (typeof given === 'object' && given !== null) || typeof given === 'function';
  const kind = isObject ? (given as { readonly kind?: unknown }).kind : undefined;
  if (processKinds.some((known) => known === kind)) return;
  throw new WherryError('bad-definition', 'what was to be called is no process', {
    hint: 'give what defineCalcJob, defineWorkflow or calcfunction made; modules that import each other in a circle find nothing',
  });
}

/** Errors: `bad-definition` where a part of a definition that does its work is none. */
export function expectFunction(name: string, part: string, given: unknown): void {
  if (typeof given !== 'function') throw new WherryError('bad-definition', `${name} has no function \`${part}\``);
}

/** The definition with a name; undefined when this program has loaded none. */
export function findDefinition(name: string): ProcessDefinition | undefined {
  return known.get(name);
}

/** Loads a module: what is defined meanwhile because of it, also by what it imports, is noted as defined by it. */
export function whileLoading<T>(module: string, load: () => Promise<T>): Promise<T> {
  return loading.run(module, load);
}

/** The module that defined the process with a name when it was loaded. */
export function definingModule(name: string): string | undefined {
  return modules.get(name);
}

/** All that this program has loaded, by name. */
export function definitions(): readonly ProcessDefinition[] {
  return [...known.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
}

function checkPorts({ name, inputs, outputs }: ProcessSpec): void {
  for (const [what, schema] of Object.entries({ inputs, outputs })) {
    try {
      portsOf(schema);
    } catch (error) {
      if (!(error instanceof WherryError)) throw error;
      const hint = error.hint === undefined ? {} : { hint: error.hint };
      throw new WherryError('bad-definition', `the ${what} of ${name}: ${error.message}`, { cause: error, ...hint });
    }
  }
}
