import type { WherryError } from '../errors.js';
import type { Lease } from '../store/leases.js';

/** Drives the processes of one computer, or of one lane, while it holds the lease of that. */
export interface WorkDriver {
  readonly lease: Lease;
  /** Is anything in progress? */
  readonly busy: boolean;
  /** How much is in progress. */
  readonly steps: number;
  /** Is something in progress that others would have to begin anew? */
  readonly mustSettle: boolean;
  /** Would anything be lost if it were given back now, be it only an open connection? */
  readonly holdsOn: boolean;
  /** Aborted with the reason when the lease was lost. */
  readonly stopped: AbortSignal;
  /**
   * Starts everything that is due and allowed, without waiting for it.
   * @returns when something will be due, in milliseconds since the epoch; undefined when nothing is known to come
   */
  step(): Promise<number | undefined>;
  /** Gives up what still waits for its turn; what has begun goes on. */
  drain(): void;
  /** Stops what is in progress, and begins nothing more; lets go of what others must not find open. */
  abandon(reason: WherryError): void;
  /** Stops what is in progress and waits for its end. */
  stop(reason: WherryError): Promise<void>;
}
