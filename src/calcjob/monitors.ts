import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { Job } from '../config/job.js';
import type { Monitor } from '../config/staging.js';
import { messageOf, WherryError } from '../errors.js';
import { quote } from '../plugin/shell.js';
import { compute } from '../process/compute.js';
import { type ExitCode, standardExit } from '../process/exit-codes.js';
import type { NewEvent } from '../store/events.js';
import { fromJson, type Store, type StoreTransaction } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import { type CalcJobContext, deadlines, remoteDirectory } from './context.js';

/** What a monitor is called with: a function of the module that a job names, while the job runs. */
export interface MonitorInput {
  readonly job: {
    readonly id: number;
    readonly uuid: string;
    readonly label: string;
    readonly jobId: string | null;
    readonly schedulerState: string | null;
    readonly schedulerReason: string | null;
    /** On the computer. */
    readonly directory: string | null;
    /** Milliseconds since it was submitted. */
    readonly age: number;
  };
  /** Name → text of each file that the monitor asks for and that is there, of a long one the end. */
  readonly files: Readonly<Record<string, string>>;
  readonly arguments: Readonly<Record<string, unknown>>;
}

/** What a monitor may return beside nothing, and a message that stops the job. */
const monitorResult = z
  .strictObject({
    message: z.string().max(10_000).default(''),
    action: z.enum(['kill', 'disableAll', 'disableSelf']).default('kill'),
    /** Of a job that is stopped: are its results retrieved, and read by its parser? */
    retrieve: z.boolean().default(true),
    parse: z.boolean().optional(),
    /** Does the process end with the exit status of a monitor, whatever job and parser say? */
    overrideExitCode: z.boolean().default(true),
    outputs: z.record(z.string(), z.json()).optional(),
  })
  .refine(({ retrieve, parse }) => retrieve || parse !== true, {
    path: ['parse'],
    error: 'cannot be true where nothing is retrieved',
  });

/** A job that a monitor has stopped. */
export interface Decision {
  readonly monitor: string;
  readonly message: string;
  readonly retrieve: boolean;
  readonly parse: boolean;
  readonly overrideExitCode: boolean;
  readonly outputs?: Readonly<Record<string, unknown>> | undefined;
}

/** What is remembered of the monitors of a process, from one driver to the next. */
export interface MonitorState {
  /** Name → when it was called last, in milliseconds since the epoch. */
  readonly calls: Readonly<Record<string, number>>;
  /** Name → how many times in a row it has failed. */
  readonly failures: Readonly<Record<string, number>>;
  readonly disabled: readonly string[];
  readonly allDisabled?: boolean;
  /** What was told last of the way to the computer, so that it is told once. */
  readonly trouble?: string;
  readonly decision?: Decision;
}

const untouched: MonitorState = { calls: {}, failures: {}, disabled: [] };

export const monitorLimits = {
  /** Bytes from the end of each file, and files of one job. */
  file: 256 * 2 ** 10,
  files: 64,
  /** Milliseconds of a call; bytes of what it returns. */
  timeout: 60_000,
  result: 2 ** 20,
  /** After so many failures in a row a monitor is called no more. */
  failures: 5,
} as const;

/** Belongs to the acceptance of a job: from now on its monitors are called. */
export async function beginMonitoring(
  transaction: StoreTransaction,
  row: Pick<ProcessRow, 'id'>,
  job: Pick<Job, 'monitors'>,
  now: number,
): Promise<void> {
  if (activeMonitors(job, untouched).length === 0) return;
  await transaction
    .insertInto('monitors')
    .values({ process_id: row.id, due_at: now, state: JSON.stringify(untouched) })
    .onConflict((conflict) => conflict.column('process_id').doNothing())
    .execute();
}

/** What is remembered of the monitors of a process; undefined when it has none. */
export async function readMonitorState(
  db: Store | StoreTransaction,
  row: Pick<ProcessRow, 'id'>,
): Promise<MonitorState | undefined> {
  const found = await db.selectFrom('monitors').select('state').where('process_id', '=', row.id).executeTakeFirst();
  return fromJson<MonitorState>(found?.state ?? null);
}

/** The monitor that stopped the job of a process, if one did. */
export async function decisionOf(
  store: Store,
  row: Pick<ProcessRow, 'id'>,
  job: Pick<Job, 'monitors'>,
): Promise<Decision | undefined> {
  return job.monitors === undefined ? undefined : (await readMonitorState(store, row))?.decision;
}

/** The exit of a process whose job a monitor has stopped. */
export function exitByMonitor(exit: ExitCode, decision: Decision | undefined): ExitCode {
  if (decision?.overrideExitCode !== true) return exit;
  return standardExit('STOPPED_BY_MONITOR', [decision.monitor, decision.message].filter(Boolean).join(': '));
}

type NamedMonitor = Monitor & { readonly name: string };

/** Those that may still be called: the greatest priority first, then by name. */
function activeMonitors({ monitors = {} }: Pick<Job, 'monitors'>, { disabled, allDisabled }: MonitorState) {
  if (allDisabled) return [];
  return Object.entries(monitors)
    .map(([name, monitor]): NamedMonitor => ({ ...monitor, name }))
    .filter(({ name, disabled: never }) => !never && !disabled.includes(name))
    .sort((one, other) => other.priority - one.priority || (one.name < other.name ? -1 : 1));
}

function dueTime({ name, minimumInterval }: NamedMonitor, { calls }: MonitorState): number {
  const last = calls[name];
  return last === undefined ? Number.NEGATIVE_INFINITY : last + minimumInterval * 1_000;
}

/** Those whose time has come, in their order. */
export function dueMonitors(job: Pick<Job, 'monitors'>, state: MonitorState, now: number): NamedMonitor[] {
  return activeMonitors(job, state).filter((monitor) => dueTime(monitor, state) <= now);
}

/** When the next of them is to be called; null when none ever is. */
export function nextMonitorTime(job: Pick<Job, 'monitors'>, state: MonitorState, now: number): number | null {
  if (state.decision !== undefined) return now;
  const times = activeMonitors(job, state).map((monitor) => dueTime(monitor, state));
  return times.length === 0 ? null : Math.max(now, Math.min(...times));
}

/** The ends of files of the job, by one command; what is not there, or no file, is left out. */
export async function readEnds(
  context: Pick<CalcJobContext, 'row' | 'connection' | 'signal' | 'nonce'>,
  monitors: readonly Pick<Monitor, 'files'>[],
): Promise<Record<string, string>> {
  const names = [...new Set(monitors.flatMap(({ files }) => files))].slice(0, monitorLimits.files);
  if (names.length === 0) return {};
  // No file can hold a word that was made up for this answer alone.
  const mark = `wherry-${context.nonce()}`;
  const lines = names.map((name, index) => `show ${index} ${quote(`${remoteDirectory(context)}/${name}`)}`);
  const show = `show() { [ ! -f "$2" ] || { echo ${mark} "$1"; tail -c ${monitorLimits.file} "$2"; echo; }; }`;
  const { stdout } = await context.connection.exec([show, ...lines, `echo ${mark} end`].join('\n'), {
    timeout: deadlines.command,
    signal: context.signal,
    maxOutput: names.length * (monitorLimits.file + 200) + 1_000,
  });
  const [, ...parts] = `\n${stdout}`.split(`\n${mark} `);
  if (!parts.pop()?.startsWith('end')) {
    throw new WherryError('transfer-incomplete', 'the files for monitors did not come whole', { transient: true });
  }
  const texts: Record<string, string> = {};
  for (const part of parts) {
    const [, index = '', text = ''] = /^(\d+)\n([\s\S]*)$/.exec(part) ?? [];
    const name = names[Number(index)];
    if (index !== '' && name !== undefined) texts[name] = text;
  }
  return texts;
}

/** What comes of calling monitors: what is to be remembered, and told. */
export interface MonitorOutcome {
  readonly state: MonitorState;
  readonly events: readonly NewEvent[];
}

/**
 * Calls monitors one after the other, off the main loop, until one has something to say. One that fails says nothing;
 * when it fails again and again it is called no more. Errors: `aborted`, `back-pressure`.
 * @param due in their order
 */
export async function callMonitors(
  job: MonitorInput['job'],
  due: readonly NamedMonitor[],
  files: Readonly<Record<string, string>>,
  before: MonitorState,
  tools: { readonly now: () => number; readonly signal: AbortSignal; readonly timeout?: number },
): Promise<MonitorOutcome> {
  let state = before;
  const events: NewEvent[] = [];
  const tell = (level: 'info' | 'warning', message: string) =>
    events.push({ type: 'process.report', data: { level, message } });
  for (const monitor of due) {
    const { name } = monitor;
    state = { ...state, calls: { ...state.calls, [name]: tools.now() } };
    let result: z.output<typeof monitorResult> | undefined;
    try {
      result = await call(monitor, job, files, tools);
      state = { ...state, failures: { ...state.failures, [name]: 0 } };
    } catch (error) {
      const isOfMonitor = error instanceof WherryError && ['computation-failed', 'timed-out'].includes(error.code);
      if (!isOfMonitor || tools.signal.aborted) throw error;
      const failures = (state.failures[name] ?? 0) + 1;
      const last = failures >= monitorLimits.failures;
      if (failures === 1 || last) {
        tell('warning', `the monitor ${name} failed${last ? ' again and is called no more' : ''}: ${messageOf(error)}`);
      }
      const disabled = last ? [...state.disabled, name] : state.disabled;
      state = { ...state, disabled, failures: { ...state.failures, [name]: failures } };
    }
    if (result === undefined) continue;
    const said = result.message === '' ? '' : `: ${result.message}`;
    if (result.action === 'kill') {
      tell('warning', `the monitor ${name} stops the job${said}`);
      const { action: _, parse = result.retrieve, ...rest } = result;
      return { state: { ...state, decision: { ...rest, parse, monitor: name } }, events };
    }
    const all = result.action === 'disableAll';
    tell('info', `the monitor ${name} ${all ? 'ends all monitors' : 'is called no more'}${said}`);
    const disabled = all ? { allDisabled: true } : { disabled: [...state.disabled, name] };
    return { state: { ...state, ...disabled }, events };
  }
  return { state, events };
}

async function call(
  { module, export: exportName, arguments: given, files: wanted }: NamedMonitor,
  job: MonitorInput['job'],
  files: Readonly<Record<string, string>>,
  { signal, timeout = monitorLimits.timeout }: { readonly signal: AbortSignal; readonly timeout?: number },
): Promise<z.output<typeof monitorResult> | undefined> {
  const own = Object.fromEntries(Object.entries(files).filter(([name]) => wanted.includes(name)));
  const input: MonitorInput = { job, files: own, arguments: given };
  const limits = { timeout, result: monitorLimits.result, signal };
  const value = await compute(pathToFileURL(module).href, exportName, input, limits);
  if (value === undefined || value === null) return undefined;
  const result = monitorResult.safeParse(typeof value === 'string' ? { message: value } : value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new WherryError('computation-failed', `${module} returned ${issue?.path.join('.') ?? ''}: ${issue?.message}`);
}
