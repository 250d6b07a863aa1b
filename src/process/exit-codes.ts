/** How a process ended by itself. Status 0 is success, greater is a failure of its own with a label and a message. */
export interface ExitCode {
  readonly status: number;
  readonly label: string;
  readonly message: string;
}

/**
 * Exit codes that every calcjob can have; the numbers are those that users of the field know. Statuses from 1 to 99
 * and from 300 on belong to the processes themselves.
 */
export const standardExitCodes = {
  OUT_OF_MEMORY: { status: 110, message: 'the job needed more memory than it asked for' },
  OUT_OF_WALLTIME: { status: 120, message: 'the job did not end within its walltime' },
  SCHEDULER_REFUSED: { status: 130, message: 'the scheduler refused the job' },
  INVALID_ACCOUNT: { status: 131, message: 'the account is invalid on this computer' },
  NODE_FAILURE: { status: 140, message: 'a node of the job failed' },
  JOB_CANCELLED: { status: 141, message: 'the job was cancelled on the computer, not by Wherry' },
  JOB_PREEMPTED: { status: 142, message: 'the job was preempted and not requeued' },
  JOB_VANISHED: { status: 145, message: 'the job is gone and no source tells how it ended' },
  INVALID_OUTPUT: { status: 10, message: 'an output is missing or is not what was declared' },
  STOPPED_BY_MONITOR: { status: 150, message: 'a monitor stopped the job' },
  STASH_FAILED: { status: 160, message: 'files that were to be stashed on the computer could not be' },
  MISSING_OUTPUT: { status: 11, message: 'a file that was to be retrieved does not exist' },
  MISSING_SOURCE: { status: 12, message: 'what the job was to find on the computer does not exist' },
} as const;
export type StandardExitCode = keyof typeof standardExitCodes;

/** One of the standard codes, with details put behind its message. */
export function standardExit(label: StandardExitCode, details?: string): ExitCode {
  const { status, message } = standardExitCodes[label];
  return { status, label, message: details ? `${message}: ${details}` : message };
}

export const success: ExitCode = { status: 0, label: '', message: '' };
