import { sql } from 'kysely';
import type { ComputerConfig } from '../config/computer.js';
import type { Store, StoreTransaction } from '../store/store.js';
import { sumOverStanding } from './standing-jobs.js';

/** A pool of a computer: who shares it, how large it is for all of them, and what is left. */
export interface PoolRoom {
  readonly capacity: number;
  readonly room: number;
}

/**
 * What is left of the pools of a computer. A pool belongs to every computer whose limits name it; where they disagree
 * about its size, the smallest counts. Each job of these computers that stands in a queue takes one, unless its job
 * file says otherwise.
 */
export async function poolRooms(
  store: Store | StoreTransaction,
  config: Pick<ComputerConfig, 'limits'>,
): Promise<ReadonlyMap<string, PoolRoom>> {
  const names = Object.keys(config.limits.pools ?? {});
  if (names.length === 0) return new Map();
  const rows = await store.selectFrom('computers').select(['id', 'config']).execute();
  const computers = rows.map((row) => ({ id: row.id, pools: poolsOf(row.config) }));
  const rooms = new Map<string, PoolRoom>();
  for (const name of names) {
    const sharing = computers.filter(({ pools }) => pools[name] !== undefined);
    const capacity = Math.min(...sharing.map(({ pools }) => pools[name] ?? 0));
    const ids = sharing.map(({ id }) => id);
    rooms.set(name, { capacity, room: Math.max(0, capacity - (await taken(store, name, ids))) });
  }
  return rooms;
}

function poolsOf(config: string): Readonly<Record<string, number>> {
  return (JSON.parse(config) as ComputerConfig).limits.pools ?? {};
}

/** What each job that stands in a queue takes, and each that may be there because its submission is not known. */
async function taken(store: Store | StoreTransaction, pool: string, computerIds: readonly number[]): Promise<number> {
  const own = sql<number>`(select amount from process_pools where process_id = processes.id and pool = ${pool})`;
  return sumOverStanding(store, computerIds, sql<number>`coalesce(${own}, 1)`);
}

/** What a process takes of each of these pools. */
export async function takesOf(
  store: Store | StoreTransaction,
  processId: number,
  pools: Iterable<string>,
): Promise<ReadonlyMap<string, number>> {
  const rows = await store.selectFrom('process_pools').selectAll().where('process_id', '=', processId).execute();
  const own = new Map(rows.map((row) => [row.pool, row.amount]));
  return new Map([...pools].map((pool) => [pool, own.get(pool) ?? 1]));
}

/** The first pool that has too little left for a process, as a reason to wait; undefined when all have room. */
export async function poolReason(
  store: Store | StoreTransaction,
  processId: number,
  rooms: ReadonlyMap<string, PoolRoom>,
): Promise<string | undefined> {
  if (rooms.size === 0) return undefined;
  for (const [pool, amount] of await takesOf(store, processId, rooms.keys())) {
    const { room, capacity } = rooms.get(pool) ?? { room: 0, capacity: 0 };
    if (amount > room) return `the pool "${pool}": ${amount} of ${capacity} needed, ${room} free`;
  }
  return undefined;
}
