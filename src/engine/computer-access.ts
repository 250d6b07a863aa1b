import { randomUUID } from 'node:crypto';
import { WherryError } from '../errors.js';
import type { Connection } from '../plugin/transport.js';
import { claimLease, leaseHolder, releaseLease, renewLease } from '../store/leases.js';
import type { Store } from '../store/store.js';
import type { ComputerRow, LeaseRow } from '../store/tables.js';
import { computerLease } from './computer-lease.js';
import { type LoadedComputer, loadComputer } from './loaded-computer.js';
import { expectReachable } from './reachable.js';
import { TransportQueue } from './transport-queue.js';

/** Lends a computer's connection for the time of `work`; `anyway` also while the computer is held or left alone. */
export type UseConnection = <T>(
  signal: AbortSignal,
  work: (connection: Connection, computer: LoadedComputer, signal: AbortSignal) => Promise<T>,
  anyway?: boolean,
) => Promise<T>;

/** Another program has the computer's lease. */
export class ComputerTaken extends WherryError {
  override readonly name = 'ComputerTaken';
  readonly holder: LeaseRow | undefined;

  constructor(label: string, holder: LeaseRow | undefined) {
    const who = holder === undefined ? 'another driver' : `another driver (pid ${holder.pid} on ${holder.host})`;
    super('back-pressure', `${who} is speaking to ${label}`, {
      transient: true,
      hint: 'only one program at a time may; wait for its end, or stop it, and try again',
    });
    this.holder = holder;
  }
}

/** Milliseconds. */
const timing = { lease: 30_000, renewal: 8_000 } as const;

/**
 * Holds the lease of a computer for the time of `work`, so that nobody else speaks to it meanwhile.
 * Errors: ComputerTaken when a driver holds it; those of `work`.
 * @param signal aborts `work`
 */
async function withComputerLease<T>(
  store: Store,
  row: ComputerRow,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const name = computerLease(row.id);
  const lease = await claimLease(store, name, randomUUID(), Date.now(), timing.lease);
  if (lease === undefined) throw new ComputerTaken(row.label, await leaseHolder(store, name, Date.now()));
  const lost = new AbortController();
  const renewal = setInterval(async () => {
    const held = await renewLease(store, lease, Date.now(), timing.lease).catch((error: unknown) => error);
    if (held === true) return;
    lost.abort(new WherryError('lease-lost', `another driver has taken over ${row.label}`, { cause: held }));
  }, timing.renewal);
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    clearInterval(renewal);
    await releaseLease(store, lease);
  }
}

/** Takes a computer's lease and opens its connection for each use, under its limits. Errors: ComputerTaken. */
export function borrow(store: Store, row: ComputerRow): UseConnection {
  return async (signal, work, anyway) => {
    const computer = await loadComputer(row);
    expectReachable(computer);
    return withComputerLease(store, row, signal, async (held) => {
      await using queue = new TransportQueue({ store, now: Date.now, random: Math.random });
      return await queue.use(computer, held, (open) => work(open, computer, held), undefined, anyway);
    });
  };
}
