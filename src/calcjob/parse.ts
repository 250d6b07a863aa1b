import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { Job } from '../config/job.js';
import { WherryError } from '../errors.js';
import type { JobState } from '../plugin/scheduler.js';
import { compute } from '../process/compute.js';
import { type ExitCode, type StandardExitCode, standardExit, success } from '../process/exit-codes.js';
import type { Transition } from '../process/transition.js';
import { mapBounded } from '../store/map-bounded.js';
import type { Repository } from '../store/repository.js';
import type { Store } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import { type CalcJobState, ownFiles, readState, type StashedFiles } from './context.js';
import { endingOf } from './ending.js';
import { locateTemporary, retrieveAgain, withoutTemporary } from './passing.js';

/** Outputs of the built-in calcjob `shell`. */
export interface ShellOutputs {
  /** Exit code of the command; null when the job ended before it could tell. */
  readonly exitCode: number | null;
  /** Signal that ended the job, where the scheduler tells. */
  readonly signal: number | null;
  readonly missing: readonly string[];
  /** Where the files are that the job was to stash. */
  readonly stash?: StashedFiles;
}

const exitOfState: Partial<Record<JobState, StandardExitCode>> = {
  'out-of-memory': 'OUT_OF_MEMORY',
  timeout: 'OUT_OF_WALLTIME',
  'node-failure': 'NODE_FAILURE',
  cancelled: 'JOB_CANCELLED',
  preempted: 'JOB_PREEMPTED',
};

/** What a parser is called with: the default export of the module that a job names. */
export interface ParserInput {
  /** As the process would end without a parser: 0 is success. */
  readonly exitStatus: number;
  /** Path in the results → the local file with that content, which must not be changed. */
  readonly files: Readonly<Record<string, string>>;
  /** The same of what is retrieved for the parser alone. */
  readonly temporaryFiles: Readonly<Record<string, string>>;
  /** The job as it was submitted. */
  readonly inputs: Job;
}

/** Names that the outputs have anyway. */
const takenNames = ['exitCode', 'signal', 'missing', 'stash', 'files'];

/** What a parser may return; everything is optional. */
const parserResult = z
  .strictObject({
    outputs: z
      .record(z.string(), z.json())
      .superRefine((outputs, context) => {
        for (const name of takenNames.filter((taken) => Object.hasOwn(outputs, taken))) {
          context.addIssue({ code: 'custom', path: [name], message: 'is the name of an output that every job has' });
        }
      })
      .optional(),
    /** Instead of the exit status that the process would have. */
    exitStatus: z.int().min(0).max(2_147_483_647).optional(),
    exitMessage: z.string().max(10_000).optional(),
  })
  .default({});

/** Milliseconds for a parser, and bytes of what it returns. */
const parserLimits = { timeout: 600_000, result: 2 ** 20 } as const;

export interface ParseTools {
  readonly store: Store;
  readonly repository: Repository;
  readonly signal: AbortSignal;
  /** Milliseconds for the job's parser; tests have less patience. */
  readonly timeout?: number;
}

/**
 * Turns the end of the job into the end of the process. What the scheduler says of the job's end comes first, then
 * the command's own exit code, then files that should be there and are not. The job's parser has the last word; it runs
 * off the main loop, and may run again when the driver ends in the middle.
 */
export async function parse(row: ProcessRow, tools: ParseTools): Promise<Transition> {
  const state = readState(row);
  const job = JSON.parse(row.inputs) as Job;
  const ending = await endingOf(tools.store, row, job);
  const commandExit = state.commandExit ?? state.end?.info?.exitCode;
  const outputs: ShellOutputs = {
    exitCode: commandExit ?? null,
    signal: state.end?.info?.signal ?? null,
    missing: state.missing ?? [],
    ...ending.outputs,
  };
  const exit = exitOf(state);
  const cleaning = withoutTemporary(row, job);
  if (job.parser === undefined || ending.unread) {
    return { to: 'finished', exit: ending.exit(exit), outputs, ...cleaning };
  }
  const temporaryFiles = await locateTemporary(row, tools);
  if (temporaryFiles === undefined) return retrieveAgain;
  try {
    const input = { exitStatus: exit.status, inputs: job, temporaryFiles };
    const parsed = await runParser(job.parser, input, row, tools);
    const last = ending.exit(parsedExit(exit, parsed));
    return { to: 'finished', exit: last, outputs: { ...outputs, ...parsed.outputs }, ...cleaning };
  } catch (error) {
    const isOfParser = error instanceof WherryError && ['computation-failed', 'timed-out'].includes(error.code);
    if (!isOfParser || tools.signal.aborted) throw error;
    const { code, message, stack } = error;
    const hint = `its files are here: wherry files get ${row.id}`;
    const exception = { code, message: `the parser ${message}`, hint, stack };
    return { to: 'excepted', outputs, exception, ...cleaning };
  }
}

async function runParser(
  parser: string,
  input: Omit<ParserInput, 'files'>,
  row: ProcessRow,
  { store, repository, signal, timeout = parserLimits.timeout }: ParseTools,
): Promise<z.output<typeof parserResult>> {
  const stored = await store
    .selectFrom('files')
    .select(['path', 'sha256'])
    .where('process_id', '=', row.id)
    .where('role', '=', 'outputs')
    .execute();
  const results = stored.filter(({ path }) => !path.startsWith(`${ownFiles.directory}/`));
  const located = await mapBounded(
    results,
    async ({ path, sha256 }) => [path, await repository.locate(sha256)] as const,
  );
  const full: ParserInput = { ...input, files: Object.fromEntries(located) };
  const limits = { timeout, result: parserLimits.result, signal };
  const result = parserResult.safeParse(await compute(pathToFileURL(parser).href, 'default', full, limits));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new WherryError('computation-failed', `${parser} returned ${issue?.path.join('.') ?? ''}: ${issue?.message}`);
}

/** A parser that says nothing of the exit leaves it as it is. */
function parsedExit(exit: ExitCode, { exitStatus, exitMessage }: z.output<typeof parserResult>): ExitCode {
  if (exitStatus === undefined) return exitMessage === undefined ? exit : { ...exit, message: exitMessage };
  if (exitStatus === 0) return { ...success, message: exitMessage ?? '' };
  return { status: exitStatus, label: 'PARSER', message: exitMessage ?? `the parser gave exit status ${exitStatus}` };
}

export function exitOf({ end, commandExit, missing = [] }: CalcJobState): ExitCode {
  const info = end?.info;
  const label = info === undefined ? undefined : exitOfState[info.state];
  // The command had ended well before a late cancel or node failure: its own word counts.
  const endedBefore = commandExit === 0 && (label === 'JOB_CANCELLED' || label === 'NODE_FAILURE');
  if (label !== undefined && !endedBefore) return standardExit(label, info?.reason);
  const exitCode = commandExit ?? info?.exitCode;
  if (exitCode !== undefined && exitCode > 0) {
    return { status: exitCode, label: 'COMMAND_FAILED', message: `the command ended with exit code ${exitCode}` };
  }
  if (info?.signal !== undefined && info.signal > 0 && commandExit !== 0) {
    return {
      status: 128 + info.signal,
      label: 'COMMAND_KILLED',
      message: `the job was ended by signal ${info.signal}`,
    };
  }
  if (info?.state === 'failed' && commandExit === undefined) {
    return {
      status: 1,
      label: 'JOB_FAILED',
      message: `the scheduler says ${info.word}${info.reason ? `: ${info.reason}` : ''}`,
    };
  }
  if (exitCode === undefined && end?.source !== 'import') return standardExit('JOB_VANISHED', info?.reason);
  if (missing.length > 0) return standardExit('MISSING_OUTPUT', missing.join(', '));
  return success;
}
