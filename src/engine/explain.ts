import { cleaningOf, failureOf } from '../calcjob/cleaned.js';
import { waitingForUnknown } from '../calcjob/settle.js';
import { isTerminal } from '../process/states.js';
import { stateOf } from '../process/transition.js';
import { fromJson, type Store } from '../store/store.js';
import type { CleaningRow, ComputerRow, ProcessRow } from '../store/tables.js';
import { backoff } from './backoff.js';
import { releaseCommand } from './computer-unavailable.js';
import { holdView } from './computer-view.js';
import { type DriverView, driverOfProcess } from './driver-of.js';
import { isoTime } from './views.js';
import { listingWait, submissionWait, type Wait } from './waits.js';

/** Why a process is where it is. Times are ISO 8601. */
export interface Explanation {
  readonly id: number;
  readonly state: string;
  readonly stage: string | null;
  /** Null when it has ended. */
  readonly waitingFor: string | null;
  readonly since: string | null;
  /** What happens next; `nextAt` says when, as far as that is known. */
  readonly next: string;
  readonly nextAt: string | null;
  /** Who drives its computer now. */
  readonly driver: DriverView | null;
  readonly details: readonly string[];
}

/**
 * Joins everything that bears on one process into what it waits for, since when, and what comes next.
 * @param daemonRuns is there a daemon whose workers take up what nobody drives?
 */
export async function explain(
  store: Store,
  row: ProcessRow,
  now = Date.now(),
  daemonRuns = false,
): Promise<Explanation> {
  const base = { id: row.id, state: row.state, stage: row.stage };
  const cleaning = isTerminal(stateOf(row)) ? await cleaningOf(store, row.id) : undefined;
  if (isTerminal(stateOf(row)) && (cleaning === undefined || cleaning.due_at === null)) {
    const details = [row.exit_message, fromJson<{ message: string }>(row.exception)?.message, cleaned(cleaning)];
    return {
      ...base,
      ...{ waitingFor: null, since: isoTime(row.ended_at), next: `nothing: it is ${endText(row)}` },
      ...{ nextAt: null, driver: null },
      details: details.filter((detail): detail is string => typeof detail === 'string' && detail !== ''),
    };
  }
  const computer =
    row.computer_id === null
      ? undefined
      : await store.selectFrom('computers').selectAll().where('id', '=', row.computer_id).executeTakeFirst();
  const driver = await driverOfProcess(store, row, now);
  const general = await computerWait(row, computer, now);
  const wait =
    cleaning === undefined
      ? (general ?? (await ownWait(store, row, computer, now)))
      : cleaningWait(row, cleaning, general, now);
  return {
    ...base,
    waitingFor: wait.waitingFor,
    since: isoTime(wait.since),
    next: wait.next,
    nextAt: isoTime(wait.nextAt === undefined || wait.nextAt === null ? null : Math.max(now, wait.nextAt)),
    driver,
    details: [...(wait.details ?? []), ...detailsOf(row, computer, driver, daemonRuns)],
  };
}

/** `finished with exit status 0`. */
function endText({ state, exit_status }: ProcessRow): string {
  return exit_status === null ? state : `${state} with exit status ${exit_status}`;
}

/** It has ended, and its work directory is to be removed. @param general what keeps the computer from anything */
function cleaningWait(row: ProcessRow, cleaning: CleaningRow, general: Wait | undefined, now: number): Wait {
  const failure = failureOf(cleaning);
  const nextTry = (cleaning.due_at ?? 0) > now && failure !== undefined;
  const own: Wait = {
    waitingFor: nextTry ? `the next try to remove its work directory: ${failure.message}` : 'its turn to be cleaned',
    since: null,
    next: nextTry ? `try ${cleaning.attempts + 1} of ${backoff.attempts}` : 'its work directory is removed',
    nextAt: cleaning.due_at,
  };
  const wait = general ?? own;
  const what = `it is ${endText(row)}; its work directory is to be removed`;
  return { ...wait, since: cleaning.requested_at, details: [what, ...(wait.details ?? [])] };
}

function cleaned(cleaning: CleaningRow | undefined): string | undefined {
  if (cleaning === undefined) return undefined;
  if (cleaning.cleaned_at !== null) return `its work directory was removed at ${isoTime(cleaning.cleaned_at)}`;
  const failure = failureOf(cleaning);
  return failure === undefined ? undefined : `its work directory was not removed: ${failure.message}`;
}

/** Only a person can help (paused, held), or the computer is left alone for a while. */
async function computerWait(
  row: ProcessRow,
  computer: ComputerRow | undefined,
  now: number,
): Promise<Wait | undefined> {
  const killing = row.kill_requested_at !== null;
  // The job of a paused process is looked after until it ends.
  if (row.paused !== 0 && !killing && row.stage !== 'update') return pausedWait(row);
  if (computer === undefined || row.stage === 'parse') return undefined;
  const hold = holdView(computer);
  if (hold !== null) {
    return {
      waitingFor: `${computer.label}, which is held: ${hold.message}`,
      since: Date.parse(hold.since),
      next: `nothing by itself: ${hold.hint === null ? '' : `${hold.hint}; then `}run \`${releaseCommand(computer.label, hold.code)}\``,
    };
  }
  const isNew =
    row.stage === 'upload' ||
    row.stage === 'gather' ||
    (row.stage === 'submit' && row.waiting_for !== waitingForUnknown);
  if (computer.draining_since !== null && isNew && !killing) {
    return {
      waitingFor: `${computer.label}, which is being drained: it takes no new jobs`,
      since: computer.draining_since,
      next: `nothing by itself: run \`wherry computer enable ${computer.label}\``,
    };
  }
  if (computer.open_after === null || computer.open_after <= now) return undefined;
  const times = computer.open_failures === 1 ? 'once' : `${computer.open_failures} times`;
  return {
    waitingFor: `${computer.label}, which could not be reached (${times} in a row)`,
    since: row.waiting_since ?? computer.opened_at,
    next: 'one connection is tried for all its processes',
    nextAt: computer.open_after,
  };
}

function pausedWait(row: ProcessRow): Wait {
  return {
    waitingFor: 'somebody to let it go on: it is paused',
    since: row.paused_at,
    next: `nothing by itself: run \`wherry play ${row.id}\``,
    details: row.paused_reason === null ? [] : [`paused because: ${row.paused_reason}`],
  };
}

/** What the process itself waits for. */
async function ownWait(store: Store, row: ProcessRow, computer: ComputerRow | undefined, now: number): Promise<Wait> {
  if (row.kill_requested_at !== null) {
    return {
      waitingFor: row.waiting_for ?? 'a driver that kills it',
      since: row.waiting_since ?? row.kill_requested_at,
      next: row.job_id === null ? 'it ends as killed' : 'its job is cancelled, and its end is looked for',
      nextAt: row.due_at,
      details: [`to be killed: ${row.kill_reason ?? ''}`],
    };
  }
  const error = fromJson<{ message: string }>(row.last_error);
  if (error !== undefined && row.due_at !== null && row.due_at > now) {
    return {
      waitingFor: `the next try of ${row.stage}: ${error.message}`,
      since: row.waiting_since,
      next: `try ${row.attempts + 1} of ${backoff.attempts}`,
      nextAt: row.due_at,
    };
  }
  if (computer !== undefined && row.stage === 'submit') return submissionWait(store, row, computer, now);
  if (computer !== undefined && row.stage === 'update') return listingWait(row, computer);
  return {
    waitingFor:
      row.waiting_for ?? (row.state === 'running' ? 'its function, which is running' : `its turn to ${row.stage}`),
    since: row.waiting_since ?? row.stage_since,
    next:
      {
        upload: 'its files are sent',
        gather: 'files that the computer has are put into its directory',
        stash: 'its files are stashed on the computer',
        retrieve: 'its results are brought',
        parse: 'its results are read',
        run: 'its function goes on',
      }[row.stage ?? ''] ?? 'its next step',
    nextAt: row.due_at,
  };
}

function detailsOf(
  row: ProcessRow,
  computer: ComputerRow | undefined,
  driver: DriverView | null,
  daemonRuns: boolean,
): string[] {
  const details: string[] = [];
  if (row.paused !== 0 && row.stage === 'update')
    details.push('it is paused: its job runs on, its results stay there until it is played');
  if (row.job_id !== null) {
    const state = [row.scheduler_state, row.scheduler_reason].filter((text) => text !== null && text !== '').join(': ');
    details.push(`job ${row.job_id}${state === '' ? '' : ` is ${state}`}`);
  }
  if (row.attempts > 0) {
    const error = fromJson<{ message: string; hint?: string }>(row.last_error);
    details.push(
      `${row.stage} failed ${row.attempts === 1 ? 'once' : `${row.attempts} times`}: ${error?.message ?? ''}`,
    );
    if (error?.hint !== undefined) details.push(error.hint);
  }
  if (driver === null) {
    const what = computer?.label ?? 'it';
    details.push(
      daemonRuns
        ? `the daemon drives ${what} as soon as something is due`
        : `nothing drives ${what} now: run \`wherry daemon start\`, or \`wherry tick\` by cron`,
    );
  }
  return details;
}
