import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { WherryError } from '../errors.js';
import { GroupCommit } from './group-commit.js';
import { Prepared } from './prepared.js';
import { repeatableTransaction, type Store, type StoreTransaction } from './store.js';
import type { LeaseRow } from './tables.js';

/** Proof that its holder may work on something. Writes that carry it fail once somebody else has taken over. */
export interface Lease {
  readonly name: string;
  readonly owner: string;
  readonly epoch: number;
}

/**
 * Takes the lease if it is free, has run out, or its holder is a dead process of this host; raises the epoch.
 * Returns undefined when somebody else holds it.
 * @param duration milliseconds until it runs out unless renewed
 */
export async function claimLease(
  store: Store,
  name: string,
  owner: string,
  now: number,
  duration: number,
): Promise<Lease | undefined> {
  const mine = {
    owner,
    expires_at: now + duration,
    host: hostname(),
    pid: process.pid,
    pid_started: myIdentity(),
  };
  const current = await store.selectFrom('leases').selectAll().where('name', '=', name).executeTakeFirst();
  if (current === undefined) {
    const inserted = await store
      .insertInto('leases')
      .values({ name, epoch: 1, ...mine })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .executeTakeFirst();
    return inserted.numInsertedOrUpdatedRows === 1n ? { name, owner, epoch: 1 } : undefined;
  }
  if (current.expires_at > now && current.owner !== '' && !isDead(current)) return undefined;
  const epoch = current.epoch + 1;
  const updated = await store
    .updateTable('leases')
    .set({ epoch, ...mine })
    .where('name', '=', name)
    .where('epoch', '=', current.epoch)
    .executeTakeFirst();
  return updated.numUpdatedRows === 1n ? { name, owner, epoch } : undefined;
}

/** Puts off the end of a lease; false when it was lost. */
export async function renewLease(store: Store, lease: Lease, now: number, duration: number): Promise<boolean> {
  const updated = await store
    .updateTable('leases')
    .set({ expires_at: now + duration })
    .where('name', '=', lease.name)
    .where('owner', '=', lease.owner)
    .where('epoch', '=', lease.epoch)
    .executeTakeFirst();
  return updated.numUpdatedRows === 1n;
}

/** Gives a lease back, so that another driver need not wait. */
export async function releaseLease(store: Store, lease: Lease): Promise<void> {
  await store
    .updateTable('leases')
    .set({ owner: '', expires_at: 0 })
    .where('name', '=', lease.name)
    .where('owner', '=', lease.owner)
    .where('epoch', '=', lease.epoch)
    .execute();
}

/**
 * A transaction that happens only while the lease is held: another driver that takes over waits for its end, and one
 * that has taken over makes it fail with `lease-lost`. Works of one lease may share a transaction (see `GroupCommit`).
 * Without a lease it is a plain transaction.
 */
export async function fenced<T>(
  store: Store,
  lease: Lease | undefined,
  work: (transaction: StoreTransaction) => Promise<T>,
  { repeatable = false }: { readonly repeatable?: boolean } = {},
): Promise<T> {
  if (lease !== undefined) return groupOf(store, lease).write(work, { repeatable });
  return repeatable ? repeatableTransaction(store, work) : store.transaction().execute(work);
}

const groups = new WeakMap<Store, WeakMap<Lease, GroupCommit>>();

function groupOf(store: Store, lease: Lease): GroupCommit {
  const ofStore = groups.get(store) ?? new WeakMap<Lease, GroupCommit>();
  groups.set(store, ofStore);
  const group = ofStore.get(lease) ?? new GroupCommit(store, (transaction) => expectHeld(transaction, lease));
  ofStore.set(lease, group);
  return group;
}

/** A write, so that whoever takes over waits. */
const hold = new Prepared<{ name: string; owner: string; epoch: number }>((db, value) =>
  db
    .updateTable('leases')
    .set({ epoch: value('epoch') })
    .where('name', '=', value('name'))
    .where('owner', '=', value('owner'))
    .where('epoch', '=', value('epoch')),
);

/** Errors: `lease-lost`. */
async function expectHeld(transaction: StoreTransaction, { name, owner, epoch }: Lease): Promise<void> {
  const { numAffectedRows } = await hold.run(transaction, { name, owner, epoch });
  if (numAffectedRows !== 1n) throw new WherryError('lease-lost', `another driver has taken over ${name}`);
}

/** The living holder of a lease, if there is one. */
export async function leaseHolder(store: Store, name: string, now: number): Promise<LeaseRow | undefined> {
  const row = await store.selectFrom('leases').selectAll().where('name', '=', name).executeTakeFirst();
  return row !== undefined && row.owner !== '' && row.expires_at > now && !isDead(row) ? row : undefined;
}

/** The leases with names that begin so and whose holders live, oldest name first. */
export async function livingLeases(store: Store | StoreTransaction, prefix: string, now: number): Promise<LeaseRow[]> {
  const rows = await store
    .selectFrom('leases')
    .selectAll()
    .where('name', 'like', `${prefix}%`)
    .where('owner', '!=', '')
    .where('expires_at', '>', now)
    .orderBy('name')
    .execute();
  return rows.filter((row) => !isDead(row));
}

/**
 * Certain only for processes of this host that we can see: two containers may have the same host name, and the pid of
 * one means nothing in the other. A reused pid has another start time.
 */
function isDead({ host, pid, pid_started }: LeaseRow): boolean {
  const [, startTime, namespace] = /^([^:]*:[^:]*)(?::(.*))?$/.exec(pid_started) ?? [];
  if (host !== hostname() || startTime === undefined) return false;
  // Written by an older version, a lease names no namespace.
  if (namespace !== undefined && namespace !== pidNamespace()) return false;
  return startTimeOf(pid) !== startTime;
}

/** Tells this process from all others with its pid: when it was started, and in whose sight. '' where that is unknown. */
function myIdentity(): string {
  const startTime = startTimeOf(process.pid);
  const namespace = pidNamespace();
  return startTime === undefined || namespace === undefined ? '' : `${startTime}:${namespace}`;
}

/** Those with the same one see each other under the same pids, see pid_namespaces(7). */
function pidNamespace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid');
  } catch {
    return undefined;
  }
}

/** Start time of a process in ticks since boot with the boot's id, from proc(5); undefined when it does not run. */
export function startTimeOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
    // Field 3 (state) is the first after the name: a zombie has ended; field 22 is the start time.
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()}:${fields[19]}`;
  } catch {
    return undefined;
  }
}
