import type { ExecResult, SubmitOutcome } from '../../src/plugin.js';
import { marks } from './commands.js';
import { unavailable } from './parse.js';
import { refusals } from './refusals.js';

const idLine = /^\d+(\[\])?\.[\w.-]+$/;

/** What qsub said. Lines that a site's profile or hooks print before the id do not matter. */
export function parseSubmit(result: ExecResult): SubmitOutcome {
  const { stdout, stderr, exitCode } = result;
  const jobId = stdout
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => idLine.test(line));
  if (exitCode === 0 && jobId !== undefined) return { kind: 'accepted', jobId };
  const message = (stderr.trim() || stdout.trim() || `qsub ended with ${exitCode ?? result.signal}`).slice(0, 4_000);
  // Ended by a signal, or happy without an id, or an id in spite of an error: the job may be in the queue.
  if (exitCode === null || exitCode === 0 || jobId !== undefined) return { kind: 'unknown', message };
  const refusal = refusals.find(({ words }) => words.test(message));
  if (refusal === undefined || refusal.kind === 'unknown') return { kind: 'unknown', message };
  const { kind: reason, exitStatus } = refusal;
  return { kind: 'refused', reason, message, ...(exitStatus === undefined ? {} : { exitStatus }) };
}

/** Jobs that have ended, are unknown or belong to somebody else are no failure. */
const harmless = /Unknown Job Id|Job has finished|Unauthorized Request/i;

/** Errors: a transient `scheduler-unavailable` when qdel did not reach the server, or the server not the job's host. */
export function parseKill(result: ExecResult): void {
  const isComplete = `\n${result.stdout}`.includes(`\n${marks.done}\n`);
  const complaints = result.stderr.split('\n').filter((line) => line.startsWith('qdel:'));
  const isExplained = result.exitCode === 0 || complaints.length > 0;
  if (isComplete && isExplained && complaints.every((line) => harmless.test(line))) return;
  throw unavailable(result);
}
