import { WherryError } from '../errors.js';
import type { ExitCode } from '../process/exit-codes.js';
import type { TerminalState } from '../process/states.js';

/** How a process ended. */
export interface ProcessResult<Outputs = Readonly<Record<string, unknown>>, OutputData = unknown> {
  readonly id: number;
  readonly uuid: string;
  /** Of its definition. */
  readonly name: string;
  readonly state: TerminalState;
  /** Did it finish with exit status 0? */
  readonly ok: boolean;
  /** Null unless it finished. */
  readonly exit: ExitCode | null;
  /** Why it is excepted or killed. */
  readonly reason: string | null;
  /** Plain values, frozen. What a process that is not `ok` has given before it ended is here too. */
  readonly outputs: Outputs;
  /** The same names, with the stored data: pass these on, and it is known where they came from. */
  readonly data: Readonly<Record<string, unknown>> & OutputData;
}

/** A process that was waited for did not end well; `result` tells how it ended. Code `process-failed`. */
export class ProcessFailed extends WherryError {
  readonly result: ProcessResult;

  constructor(result: ProcessResult) {
    const { id, name, state, exit, reason } = result;
    const how =
      exit === null ? `is ${state}: ${reason ?? 'no reason is known'}` : `ended with ${exit.status}: ${exit.message}`;
    super('process-failed', `process ${id} (${name}) ${how}`, { hint: `wherry show ${id}; wherry report ${id}` });
    this.result = result;
  }
}
