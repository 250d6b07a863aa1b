import { readState } from '../calcjob/context.js';
import { waitingForUnknown } from '../calcjob/settle.js';
import { messageOf } from '../errors.js';
import type { Store } from '../store/store.js';
import type { ComputerRow, ProcessRow } from '../store/tables.js';
import { type LoadedComputer, loadComputer } from './loaded-computer.js';
import { poolReason, poolRooms } from './pools.js';
import { type Allowance, allowance } from './throttle.js';
import { isoTime } from './views.js';

/** What is known of one wait, before driver and details are added. Times are milliseconds since the epoch. */
export interface Wait {
  readonly waitingFor: string;
  readonly since: number | null;
  readonly next: string;
  readonly nextAt?: number | null | undefined;
  readonly details?: readonly string[];
}

/** Why a process is not submitted yet: what is unknown, a limit, a pool, or those before it. */
export async function submissionWait(store: Store, row: ProcessRow, computer: ComputerRow, now: number): Promise<Wait> {
  const since = row.waiting_since ?? row.stage_since;
  if (row.waiting_for === waitingForUnknown) {
    const next = 'the same question; it is submitted again only when nobody knows the job';
    return { waitingFor: row.waiting_for, since, next, nextAt: row.due_at };
  }
  const limit = await limitOf(store, row, computer, now);
  if (limit.reason !== undefined && limit.count === 0) {
    const ahead = await aheadOf(store, row);
    const next =
      limit.nextAt === undefined ? 'it is submitted when there is room again' : 'it is submitted if there is room then';
    return {
      waitingFor: limit.reason,
      since,
      next,
      nextAt: limit.nextAt,
      details: [['it is the next', 'one other comes before it'][ahead] ?? `${ahead} others come before it`],
    };
  }
  const details = limit.problem === undefined ? [] : [limit.problem];
  const waitingFor = row.waiting_for ?? 'its turn to submit';
  return { waitingFor, since, next: 'its job is submitted', nextAt: row.due_at, details };
}

async function limitOf(
  store: Store,
  row: ProcessRow,
  computer: ComputerRow,
  now: number,
): Promise<Allowance & { readonly problem?: string }> {
  let loaded: LoadedComputer;
  try {
    loaded = await loadComputer(computer);
  } catch (error) {
    return { count: 0, problem: `the computer cannot be used: ${messageOf(error)}` };
  }
  const allowed = await allowance(store, loaded, now);
  if (allowed.count === 0) return allowed;
  const reason = await poolReason(store, row.id, await poolRooms(store, loaded.config));
  return reason === undefined ? allowed : { count: 0, reason };
}

/** How many of its computer are to be submitted before it. */
async function aheadOf(store: Store, row: ProcessRow): Promise<number> {
  const { count } = await store
    .selectFrom('processes')
    .select((columns) => columns.fn.countAll<number>().as('count'))
    .where('computer_id', '=', row.computer_id)
    .where('stage', '=', 'submit')
    .where('paused', '=', 0)
    .where('id', '!=', row.id)
    .where((where) =>
      where.or([
        where('priority', '>', row.priority),
        where.and([where('priority', '=', row.priority), where('turn', '<', row.turn)]),
        where.and([where('priority', '=', row.priority), where('turn', '=', row.turn), where('id', '<', row.id)]),
      ]),
    )
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** A job that the scheduler has: its end shows in a listing. */
export function listingWait(row: ProcessRow, computer: ComputerRow): Wait {
  const { absentSince, absentListings } = readState(row);
  const absent =
    absentSince === undefined ? [] : [`missing in ${absentListings} listings since ${isoTime(absentSince)}`];
  return {
    waitingFor: row.waiting_for ?? 'the scheduler',
    since: row.waiting_since ?? row.stage_since,
    next:
      row.scheduler_state === 'held'
        ? `somebody releases job ${row.job_id} on ${computer.label}; until then it is listed like the others`
        : 'the scheduler is asked about all its jobs',
    nextAt: Math.max(computer.poll_at ?? 0, computer.polled_at ?? 0),
    details: absent,
  };
}
