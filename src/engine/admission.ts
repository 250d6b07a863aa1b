import { fenced, type Lease } from '../store/leases.js';
import { fromJson, type Store, type StoreTransaction } from '../store/store.js';
import type { ComputerRow, ProcessRow } from '../store/tables.js';
import { rowsToSubmit } from './due-work.js';
import type { LoadedComputer } from './loaded-computer.js';
import { type PoolRoom, poolReason, poolRooms, takesOf } from './pools.js';
import { allowance } from './throttle.js';

/** Who may be submitted now. */
export interface Admission {
  readonly rows: readonly ProcessRow[];
  /** What the next one waits for; absent when nobody waits. */
  readonly reason?: string;
  /** When that may change by itself. */
  readonly nextAt?: number;
}

/**
 * Chooses whom to submit: as many as the limits allow, in fair order. Who does not fit into a pool keeps those behind
 * him from taking of that pool, so that a job that needs much gets its turn.
 * @param places how many can be begun at most
 * @param submitting submissions in progress, which the store may not know yet
 * @param busy processes that are being worked on
 */
export async function admit(
  store: Store,
  computer: LoadedComputer,
  now: number,
  places: number,
  submitting: number,
  busy: ReadonlySet<number>,
): Promise<Admission> {
  const next = (limit: number, fullPools: readonly string[]) =>
    rowsToSubmit(store, computer.row.id, now, limit, busy, fullPools);
  const [first] = await next(1, []);
  if (first === undefined) return { rows: [] };
  const { count, reason, nextAt } = await allowance(store, computer, now);
  const allowed = count - submitting;
  if (allowed <= 0) return { rows: [], ...(reason && { reason }), ...(nextAt && { nextAt }) };
  const rooms = new Map(await poolRooms(store, computer.config));
  const rows: ProcessRow[] = [];
  let blocked: string | undefined;
  for (;;) {
    const full = [...rooms].filter(([, { room }]) => room <= 0).map(([pool]) => pool);
    const chosen = new Set(rows.map(({ id }) => id));
    const candidates = await next(Math.min(places, allowed) + rows.length, full);
    const passedOver = await take(
      store,
      candidates.filter(({ id }) => !chosen.has(id)),
      rooms,
      rows,
      Math.min(places, allowed),
    );
    if (passedOver === undefined) break;
    blocked = passedOver;
  }
  if (rows.length === 0 && rooms.size > 0) blocked ??= await poolReason(store, first.id, rooms);
  if (rows.length >= allowed && reason !== undefined) return { rows, reason, ...(nextAt && { nextAt }) };
  return blocked === undefined ? { rows } : { rows, reason: blocked };
}

/**
 * Takes candidates in their order until one does not fit; its pools count as used up from then on.
 * @returns why that one does not fit
 */
async function take(
  store: Store,
  candidates: readonly ProcessRow[],
  rooms: Map<string, PoolRoom>,
  rows: ProcessRow[],
  most: number,
): Promise<string | undefined> {
  for (const row of candidates) {
    if (rows.length >= most) return undefined;
    const reason = await poolReason(store, row.id, rooms);
    const takes = await takesOf(store, row.id, rooms.keys());
    for (const [pool, amount] of takes) {
      const known = rooms.get(pool);
      if (known === undefined || amount === 0) continue;
      const fits = amount <= known.room;
      if (reason === undefined || !fits) rooms.set(pool, { ...known, room: fits ? known.room - amount : 0 });
    }
    if (reason !== undefined) return reason;
    rows.push(row);
  }
  return undefined;
}

/**
 * The last look before a submission is intended, in the transaction of the intent: drivers of other computers may have
 * taken the rest of a pool meanwhile.
 * @returns what it has to wait for
 */
export async function refuseEntry(
  transaction: StoreTransaction,
  computer: LoadedComputer,
  row: Pick<ProcessRow, 'id'>,
): Promise<string | undefined> {
  return poolReason(transaction, row.id, await poolRooms(transaction, computer.config));
}

/** Writes down what the next job waits for, where it has changed: whoever looks at the jobs that wait is told. */
export async function writeThrottle(
  store: Store,
  lease: Lease,
  computer: Pick<ComputerRow, 'id' | 'throttle'>,
  reason: string | undefined,
  at: number,
): Promise<void> {
  if (fromJson<{ reason: string }>(computer.throttle)?.reason === reason) return;
  const throttle = reason === undefined ? null : JSON.stringify({ reason, since: at });
  const write = (transaction: StoreTransaction) =>
    transaction.updateTable('computers').set({ throttle }).where('id', '=', computer.id).execute();
  await fenced(store, lease, write, { repeatable: true });
}
