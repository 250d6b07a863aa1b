import type { JobState } from '../../src/plugin.js';

/** The queue's own words. */
export const states: Readonly<Record<string, JobState>> = {
  queued: 'queued',
  running: 'running',
  done: 'done',
  failed: 'failed',
  cancelled: 'cancelled',
  timeout: 'timeout',
  lost: 'failed',
  rebooted: 'node-failure',
};

/** Why a job ended, where its word alone does not say it. */
export const reasons: Readonly<Record<string, string>> = {
  lost: "the job's process is gone without a record",
  rebooted: 'the computer was restarted while the job ran',
};
