import { WherryError } from '../errors.js';
import { type NewEvent, writeEvents } from '../store/events.js';
import { fenced, type Lease } from '../store/leases.js';
import { Prepared } from '../store/prepared.js';
import type { Store, StoreTransaction } from '../store/store.js';
import type { ProcessChanges, ProcessRow } from '../store/tables.js';
import type { ExitCode } from './exit-codes.js';
import { isProcessState, isTerminal, mayGo, type ProcessState, terminalStates } from './states.js';

/** What a transition has to know of the process that makes it. */
export type MovingRow = Pick<ProcessRow, 'id' | 'state' | 'stage'>;

/** One step of a process: where it goes and everything that is written with it, in one transaction. */
export interface Transition {
  readonly to: ProcessState;
  /** The calcjob's next verb; ignored by terminal states. */
  readonly stage?: string;
  /** Milliseconds since the epoch; when a driver should look again, null when it is woken. Default: now. */
  readonly dueAt?: number | null;
  readonly exit?: ExitCode;
  readonly exception?: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string | undefined;
    readonly stack?: string | undefined;
  };
  readonly outputs?: unknown;
  readonly changes?: ProcessChanges;
  readonly events?: readonly NewEvent[];
  /** More rows of the same transaction, e.g. files. @param row as it is now */
  readonly also?: (transaction: StoreTransaction, row: ProcessRow) => Promise<void>;
}

/**
 * Carries out a transition: state, outputs, events and whatever else belongs to it commit together, or nothing does.
 * Errors: `transition-refused` when the table does not allow it or the process has moved meanwhile, `lease-lost` when
 * another driver has taken over.
 * @param row the process as it was read; its state and stage must still be the stored ones
 * @returns the row as it is now
 */
export async function carryOut(
  store: Store,
  row: MovingRow,
  transition: Transition,
  context: { readonly now: number; readonly lease?: Lease | undefined },
): Promise<ProcessRow> {
  const from = stateOf(row);
  if (!mayGo(from, transition.to)) {
    throw new WherryError('transition-refused', `process ${row.id} is ${from} and cannot become ${transition.to}`);
  }
  const { now, lease } = context;
  const changes = columnsOf(row, transition, now);
  const write = async (transaction: StoreTransaction) => {
    const { rows } = await movement(changes).run(transaction, {
      ...changes,
      rowId: row.id,
      from,
      fromStage: row.stage,
    });
    const [updated] = rows;
    if (updated === undefined) throw await refusal(transaction, row);
    await writeEvents(transaction, row.id, now, eventsOf(row, from, transition));
    await transition.also?.(transaction, updated);
    if (isTerminal(transition.to) && updated.parent_id !== null) {
      await wake.run(transaction, { parentId: updated.parent_id, now });
    }
    return updated;
  };
  return fenced(store, lease, write, byDriver(lease));
}

/** Whoever called a process that has ended looks at it, in whichever program that is. */
const wake = new Prepared<{ parentId: number; now: number }>((db, value) =>
  db
    .updateTable('processes')
    .set(({ eb }) => ({ wakes: eb('wakes', '+', 1), due_at: value('now') }))
    .where('id', '=', value('parentId'))
    .where('ended_at', 'is', null)
    .where('lane', 'is not', null),
);

type Movement = Prepared<ProcessChanges & { rowId: number; from: string; fromStage: string | null }, ProcessRow>;

/** By the columns that they change; there are a few dozen of them. */
const movements = new Map<string, Movement>();

function movement(changes: ProcessChanges): Movement {
  const columns = (Object.keys(changes) as (keyof ProcessChanges)[]).filter((column) => changes[column] !== undefined);
  const key = columns.join();
  const known = movements.get(key);
  if (known !== undefined) return known;
  const made: Movement = new Prepared((db, value) =>
    db
      .updateTable('processes')
      .set(Object.fromEntries(columns.map((column) => [column, value(column)])))
      .where('id', '=', value('rowId'))
      .where('state', '=', value('from'))
      .where('stage', 'is not distinct from', value('fromStage'))
      .returningAll(),
  );
  movements.set(key, made);
  return made;
}

/** A driver can do its verbs again after a loss of power; what a person asked for is asked once. */
function byDriver(lease: Lease | undefined): { repeatable: boolean } {
  return { repeatable: lease !== undefined };
}

/**
 * Changes columns without a transition (an intent, a waiting reason, a due time), with the same fencing.
 * A terminal process is never changed.
 */
export async function amend(
  store: Store,
  id: number,
  changes: ProcessChanges,
  context: { readonly now: number; readonly lease?: Lease | undefined; readonly events?: readonly NewEvent[] },
): Promise<boolean> {
  const write = async (transaction: StoreTransaction) => {
    const updated = await transaction
      .updateTable('processes')
      .set({ ...changes, updated_at: context.now })
      .where('id', '=', id)
      .where('state', 'not in', terminalStates)
      .executeTakeFirst();
    if (updated.numUpdatedRows === 0n) return false;
    await writeEvents(transaction, id, context.now, context.events ?? []);
    return true;
  };
  return fenced(store, context.lease, write, byDriver(context.lease));
}

/** The typed state of a row. */
export function stateOf(row: Pick<ProcessRow, 'id' | 'state'>): ProcessState {
  if (isProcessState(row.state)) return row.state;
  throw new WherryError('internal', `process ${row.id} has the unknown state "${row.state}"`);
}

function columnsOf(row: MovingRow, transition: Transition, now: number): ProcessChanges {
  const ended = isTerminal(transition.to);
  const stage = ended ? null : (transition.stage ?? row.stage);
  return {
    waiting_for: null,
    waiting_since: null,
    ...transition.changes,
    state: transition.to,
    stage,
    due_at: ended ? null : transition.dueAt === undefined ? now : transition.dueAt,
    updated_at: now,
    ...(stage === row.stage ? {} : { stage_since: now, attempts: 0, last_error: null }),
    ...(ended ? { ended_at: now, paused: 0, paused_reason: null, paused_at: null } : {}),
    ...(transition.exit === undefined
      ? {}
      : {
          exit_status: transition.exit.status,
          exit_label: transition.exit.label,
          exit_message: transition.exit.message,
        }),
    ...(transition.exception === undefined ? {} : { exception: JSON.stringify(transition.exception) }),
    ...(transition.outputs === undefined ? {} : { outputs: JSON.stringify(transition.outputs) }),
  };
}

function eventsOf(row: MovingRow, from: ProcessState, transition: Transition): NewEvent[] {
  const events: NewEvent[] = [...(transition.events ?? [])];
  if (from !== transition.to) {
    const exitStatus = transition.exit?.status;
    events.push({
      type: 'process.state',
      data: { from, to: transition.to, ...(exitStatus === undefined ? {} : { exitStatus }) },
    });
  }
  if (!isTerminal(transition.to) && transition.stage !== undefined && transition.stage !== row.stage) {
    events.push({ type: 'process.stage', data: { from: row.stage, to: transition.stage } });
  }
  return events;
}

async function refusal(transaction: StoreTransaction, row: MovingRow): Promise<WherryError> {
  const stored = await transaction
    .selectFrom('processes')
    .select(['state', 'stage'])
    .where('id', '=', row.id)
    .executeTakeFirst();
  const found = stored === undefined ? 'gone' : `${stored.state} ${stored.stage ?? ''}`.trim();
  return new WherryError(
    'transition-refused',
    `process ${row.id} was ${row.state} ${row.stage ?? ''} and is now ${found}`,
  );
}
