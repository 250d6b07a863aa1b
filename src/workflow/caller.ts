import { AsyncLocalStorage } from 'node:async_hooks';
import { WherryError } from '../errors.js';
import type { ProcessDefinition } from '../process/definition.js';
import type { CallOptions } from './context.js';
import type { ProcessResult } from './result.js';

/** Who runs the processes that are called by name of their function: a workflow, a function, or a program. */
export interface Caller {
  call(definition: ProcessDefinition, inputs: unknown, options?: CallOptions): Promise<ProcessResult>;
}

const callers = new AsyncLocalStorage<Caller>();
let ofProgram: Caller | undefined;

/** Inside `work`, and in everything that it awaits, processes are called by this one. */
export function withCaller<T>(caller: Caller, work: () => T): T {
  return callers.run(caller, work);
}

/** Who calls processes in this program outside of all processes; undefined: nobody. */
export function setProgramCaller(caller: Caller | undefined): void {
  ofProgram = caller;
}

/** Who calls a process here. Errors: `bad-definition` where no profile is open. */
export function currentCaller(name: string): Caller {
  const caller = callers.getStore() ?? ofProgram;
  if (caller !== undefined) return caller;
  throw new WherryError('bad-definition', `${name} was called where no profile is open`, {
    hint: 'run the script with: wherry run SCRIPT; or open a runner first: await using runner = await Runner.open()',
  });
}
