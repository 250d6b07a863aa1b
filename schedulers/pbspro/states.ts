import type { JobState } from '../../src/plugin.js';

/** The letters of `job_state` (qstat(1B), "job_state") in our terms. F and X have ended: how is told by other fields. */
export const states: Readonly<Record<string, JobState>> = {
  // An array of which a part has begun.
  B: 'running',
  E: 'completing',
  F: 'done',
  H: 'held',
  // Moved to another server, where we do not ask.
  M: 'unknown',
  Q: 'queued',
  R: 'running',
  S: 'suspended',
  // On its way into a queue.
  T: 'queued',
  // Suspended because somebody sits at the workstation.
  U: 'suspended',
  // Waits for the time it was told to wait for.
  W: 'queued',
  X: 'done',
};

export const endedLetters: ReadonlySet<string> = new Set(['F', 'X']);

/** Substates that say more than the letter. */
export const substates = { waitsForDependency: 22, terminated: 91 } as const;

/** Negative exit statuses are PBS's own words (Administrator's Guide, "Job Exit Status Codes"); others are failures. */
export const ownExits: Readonly<Record<number, JobState>> = {
  // The execution host went away, or could not take the job up again.
  [-4]: 'node-failure',
  [-5]: 'node-failure',
  [-6]: 'node-failure',
  [-7]: 'node-failure',
  // A host of the job, or its first one, failed.
  [-14]: 'node-failure',
  [-20]: 'node-failure',
  // Over vmem, mem, cput and walltime.
  [-26]: 'out-of-memory',
  [-27]: 'out-of-memory',
  [-28]: 'timeout',
  [-29]: 'timeout',
};

/** What the comment of an ended job says where the exit status does not: the first that matches decides. */
export const endings: readonly { readonly words: RegExp; readonly state: JobState }[] = [
  { words: /exceeded resource (walltime|cput)\b/i, state: 'timeout' },
  { words: /exceeded resource v?mem\b|cgroup v?mem limit exceeded/i, state: 'out-of-memory' },
];
