import { type CalcJobContext, queryContext } from '../calcjob/context.js';
import {
  callMonitors,
  dueMonitors,
  type MonitorInput,
  type MonitorOutcome,
  type MonitorState,
  nextMonitorTime,
  readEnds,
  readMonitorState,
} from '../calcjob/monitors.js';
import { runCommand } from '../calcjob/run-command.js';
import type { Job } from '../config/job.js';
import { messageOf, WherryError } from '../errors.js';
import { type NewEvent, writeEvents } from '../store/events.js';
import { fenced, type Lease } from '../store/leases.js';
import type { Store, StoreTransaction } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';

/** Milliseconds until a cancel is sent again, and until monitors are called again after trouble on the way to the computer. */
const pauses = { cancel: 15_000, trouble: 30_000 } as const;
/** Milliseconds between two looks for monitors of jobs that did not run yet. */
export const lookAgain = 5_000;
/** Most processes whose monitors are called at once. */
const mostAtOnce = 16;

/** The processes of a computer whose monitors are to be called now, and when to look again. */
export async function dueForMonitors(
  store: Store,
  computerId: number,
  now: number,
  except: ReadonlySet<number>,
): Promise<{ readonly rows: ProcessRow[]; readonly nextAt: number | undefined }> {
  const found = await store
    .selectFrom('monitors')
    .innerJoin('processes', 'processes.id', 'monitors.process_id')
    .select([
      'processes.id',
      'processes.stage',
      'processes.scheduler_state',
      'processes.paused',
      'processes.kill_requested_at',
      'processes.ended_at',
      'monitors.due_at',
    ])
    .where('monitors.due_at', 'is not', null)
    .where('processes.computer_id', '=', computerId)
    .orderBy('monitors.due_at')
    .limit(5_000)
    .execute();
  const over = found.filter(({ ended_at }) => ended_at !== null).map(({ id }) => id);
  if (over.length > 0)
    await store.updateTable('monitors').set({ due_at: null }).where('process_id', 'in', over).execute();
  const living = found.filter(({ ended_at }) => ended_at === null);
  if (living.length === 0) return { rows: [], nextAt: undefined };
  const ids = living
    .filter((row) => Number(row.due_at) <= now && row.stage === 'update' && row.scheduler_state === 'running')
    .filter(({ id, paused, kill_requested_at }) => paused === 0 && kill_requested_at === null && !except.has(id))
    .map(({ id }) => id)
    .slice(0, mostAtOnce);
  const coming = living.map((row) => Number(row.due_at)).filter((time) => time > now);
  const rows = ids.length === 0 ? [] : await store.selectFrom('processes').selectAll().where('id', 'in', ids).execute();
  return { rows, nextAt: Math.min(now + lookAgain, ...coming) };
}

/** What the monitors of a process are called with by its driver. */
export interface MonitorTools {
  readonly store: Store;
  readonly lease: Lease;
  readonly now: () => number;
  readonly signal: AbortSignal;
  /** Lends the connection to the computer. */
  readonly onConnection: <Result>(use: (context: CalcJobContext) => Promise<Result>) => Promise<Result>;
}

/**
 * Calls the monitors of a process that are due, and writes down what they decide; or, when one has decided that the job
 * is to end, cancels it, until its end is seen. Trouble on the way to the computer puts it off.
 * Errors: those of the store, and `aborted`.
 */
export async function runMonitors(tools: MonitorTools, row: ProcessRow): Promise<void> {
  const { store, now, signal, onConnection } = tools;
  const state = await readMonitorState(store, row);
  if (state === undefined) return;
  if (state.decision !== undefined) return cancel(tools, row, state);
  const job = JSON.parse(row.inputs) as Job;
  const due = dueMonitors(job, state, now());
  let outcome: MonitorOutcome;
  try {
    const isWanted = due.some(({ files }) => files.length > 0);
    const files = isWanted ? await onConnection((context) => readEnds(context, due)) : {};
    outcome = await callMonitors(summaryOf(row, now()), due, files, state, tools);
  } catch (error) {
    signal.throwIfAborted();
    const told = trouble(state, error, 'its monitors cannot be called');
    return write(tools, row, told.state, now() + pauses.trouble, told.events);
  }
  const at = now();
  return write(tools, row, outcome.state, nextMonitorTime(job, outcome.state, at), outcome.events);
}

async function cancel(tools: MonitorTools, row: ProcessRow, state: MonitorState): Promise<void> {
  const { now, signal, onConnection } = tools;
  let told: MonitorOutcome = { state, events: [] };
  try {
    await onConnection(async ({ computer, connection }) => {
      const ids = row.job_id === null ? [] : [row.job_id];
      const command = computer.scheduler.kill({ ...queryContext(connection, computer), ids });
      computer.scheduler.parseKill(await runCommand(connection, command, signal));
    });
  } catch (error) {
    signal.throwIfAborted();
    told = trouble(state, error, 'the job that a monitor stopped cannot be cancelled');
  }
  await write(tools, row, told.state, now() + pauses.cancel, told.events);
}

/** Trouble that passes is no news, and neither is the same again. */
function trouble(state: MonitorState, error: unknown, what: string): MonitorOutcome {
  const message = `${what}: ${messageOf(error)}`;
  const passes = error instanceof WherryError && error.transient;
  if (passes || state.trouble === message) return { state, events: [] };
  const report: NewEvent = { type: 'process.report', data: { level: 'warning', message } };
  return { state: { ...state, trouble: message }, events: [report] };
}

/** What is decided of a job that has ended meanwhile counts for nothing. */
async function write(
  { store, lease, now }: MonitorTools,
  row: ProcessRow,
  state: MonitorState,
  dueAt: number | null,
  events: readonly NewEvent[],
): Promise<void> {
  const at = now();
  const update = async (transaction: StoreTransaction) => {
    const current = await transaction
      .selectFrom('processes')
      .select('stage')
      .where('id', '=', row.id)
      .executeTakeFirst();
    if (current?.stage !== 'update') return;
    await transaction
      .updateTable('monitors')
      .set({ state: JSON.stringify(state), due_at: dueAt })
      .where('process_id', '=', row.id)
      .execute();
    await writeEvents(transaction, row.id, at, events);
  };
  await fenced(store, lease, update, { repeatable: true });
}

function summaryOf(row: ProcessRow, now: number): MonitorInput['job'] {
  const { id, uuid, label } = row;
  return {
    ...{ id, uuid, label, jobId: row.job_id, directory: row.remote_directory },
    ...{ schedulerState: row.scheduler_state, schedulerReason: row.scheduler_reason },
    age: now - row.stage_since,
  };
}
