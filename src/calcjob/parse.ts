import type { JobState } from '../plugin/scheduler.js';
import { type ExitCode, type StandardExitCode, standardExit, success } from '../process/exit-codes.js';
import type { Transition } from '../process/transition.js';
import type { ProcessRow } from '../store/tables.js';
import { type CalcJobState, readState } from './context.js';

/** Outputs of the built-in calcjob `shell`. */
export interface ShellOutputs {
  /** Exit code of the command; null when the job ended before it could tell. */
  readonly exitCode: number | null;
  /** Signal that ended the job, where the scheduler tells. */
  readonly signal: number | null;
  readonly missing: readonly string[];
}

const exitOfState: Partial<Record<JobState, StandardExitCode>> = {
  'out-of-memory': 'OUT_OF_MEMORY',
  timeout: 'OUT_OF_WALLTIME',
  'node-failure': 'NODE_FAILURE',
  cancelled: 'JOB_CANCELLED',
  preempted: 'JOB_PREEMPTED',
};

/**
 * Turns the end of the job into the end of the process. What the scheduler says of the job's end comes first, then
 * the command's own exit code, then files that should be there and are not.
 */
export function parse(row: ProcessRow): Transition {
  const state = readState(row);
  const commandExit = state.commandExit ?? state.end?.info?.exitCode;
  const outputs: ShellOutputs = {
    exitCode: commandExit ?? null,
    signal: state.end?.info?.signal ?? null,
    missing: state.missing ?? [],
  };
  return { to: 'finished', exit: exitOf(state), outputs };
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
  if (exitCode === undefined) return standardExit('JOB_VANISHED', info?.reason);
  if (missing.length > 0) return standardExit('MISSING_OUTPUT', missing.join(', '));
  return success;
}
