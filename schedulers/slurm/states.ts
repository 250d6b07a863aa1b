import type { JobState } from '../../src/plugin.js';

/**
 * Every state word of squeue(1) and sacct(1), long and short, of releases 17.11 to 25.11, in our terms. Flags that newer
 * releases report as states of their own are among them.
 */
export const states: Readonly<Record<string, JobState>> = {
  BOOT_FAIL: 'node-failure',
  BF: 'node-failure',
  CANCELLED: 'cancelled',
  CA: 'cancelled',
  COMPLETED: 'done',
  CD: 'done',
  CONFIGURING: 'queued',
  CF: 'queued',
  COMPLETING: 'completing',
  CG: 'completing',
  // Ended because it could not have finished before its --deadline: a limit of time like any other.
  DEADLINE: 'timeout',
  DL: 'timeout',
  EXPEDITING: 'queued',
  EX: 'queued',
  FAILED: 'failed',
  F: 'failed',
  LAUNCH_FAILED: 'failed',
  LF: 'failed',
  NODE_FAIL: 'node-failure',
  NF: 'node-failure',
  OUT_OF_MEMORY: 'out-of-memory',
  OOM: 'out-of-memory',
  OO: 'out-of-memory',
  PENDING: 'queued',
  PD: 'queued',
  POWER_UP_NODE: 'queued',
  PO: 'queued',
  PREEMPTED: 'preempted',
  PR: 'preempted',
  RECONFIG_FAIL: 'node-failure',
  RUNNING: 'running',
  R: 'running',
  RESIZING: 'running',
  RS: 'running',
  REQUEUED: 'queued',
  RQ: 'queued',
  REQUEUE_FED: 'queued',
  RF: 'queued',
  REQUEUE_HOLD: 'held',
  RH: 'held',
  RESV_DEL_HOLD: 'held',
  RD: 'held',
  // A sibling of the federation runs it; what becomes of it is not told here.
  REVOKED: 'unknown',
  RV: 'unknown',
  SIGNALING: 'running',
  SI: 'running',
  SPECIAL_EXIT: 'held',
  SE: 'held',
  STAGE_OUT: 'completing',
  SO: 'completing',
  STOPPED: 'suspended',
  ST: 'suspended',
  SUSPENDED: 'suspended',
  S: 'suspended',
  TIMEOUT: 'timeout',
  TO: 'timeout',
  UPDATE_DB: 'running',
};

/** Reasons of a pending job for which only a person (or the user) can let it go on. */
export const heldReasons =
  /^(JobHeldUser|JobHeldAdmin|JobHoldMaxRequeue|job requeued in held state|launch failed requeued held|ReservationDeleted)\b/;

/** Numbers in the signal half of an exit code that are no signals but Slurm's own words: 125 is out of memory. */
export const outOfMemoryCode = 125;

/** Slurm's number for a job whose directory or output file could not be opened. */
export const launchCode = 53;
