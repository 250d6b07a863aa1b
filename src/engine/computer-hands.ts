import type { CalcJobContext } from '../calcjob/context.js';
import type { MovingRow, Transition } from '../process/transition.js';
import type { Lease } from '../store/leases.js';
import type { ProcessRow } from '../store/tables.js';
import type { DriverTools } from './driver-tools.js';
import type { FailedRow } from './failure.js';
import type { WorkInProgress } from './work-in-progress.js';

/** One step of a calcjob on its computer; undefined when there is nothing to be written but what it has written itself. */
export type Verb = (context: CalcJobContext) => Promise<Transition | undefined>;

/** What the driver of a computer lends to those who do a part of its work. */
export interface ComputerHands {
  readonly tools: DriverTools;
  readonly lease: Lease;
  readonly computerId: number;
  readonly working: WorkInProgress;
  /** Begins a verb, whose transition is carried out when it has ended. */
  begin(row: ProcessRow, stage: string, verb: Verb): void;
  /** Lends the connection for something that a process needs of it. */
  onConnection<Result>(
    row: ProcessRow,
    signal: AbortSignal,
    use: (context: CalcJobContext) => Promise<Result>,
  ): Promise<Result>;
  /** Carries out a transition; a process that somebody has killed by force meanwhile stays as it is. */
  carryOut(row: MovingRow, transition: Transition): Promise<void>;
  /** Writes down what the failure of a step means for its process. */
  failed(row: FailedRow, error: unknown): Promise<void>;
}
