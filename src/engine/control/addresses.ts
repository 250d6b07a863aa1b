import type { Address } from '../../broker/communicator.js';

/** The queue whose tasks are processes to be made and continued. */
export const processQueue = 'processes';

/** Subjects of broadcasts that say nothing but "look again". */
export const wakeSubjects = { drivers: 'wake.drivers', outbox: 'wake.outbox' } as const;

/** Whoever holds the leases of this owner answers to this address. */
export function driverAddress(owner: string): Address {
  return `driver.${owner}`;
}
