import type { Lease } from '../store/leases.js';
import type { WorkDriver } from './work-driver.js';

/** Something that is driven under leases, one driver each: computers, and lanes. */
export interface WorkKind {
  /** The leases of those that have work, in their order. */
  withWork(): Promise<readonly string[]>;
  /** Over how many the workers of a profile share, where so many have work. */
  total(withWork: number): number;
  /** Is one that has no work at present kept, or left to whoever comes first? */
  readonly keeps: boolean;
  /** May this one be taken by this program? */
  mayTake(name: string): boolean;
  /** A driver for what the lease is of; undefined when it cannot be driven from here. Errors: those of the database. */
  driverFor(lease: Lease): Promise<WorkDriver | undefined>;
  /** A driver failed for good. Errors: the same, when nothing can be done about it. */
  failed(name: string, error: unknown): Promise<void>;
}
