import type { ExecResult, SubmitOutcome } from '../../src/plugin.js';
import { marks } from './commands.js';
import { unavailable } from './parse.js';
import { refusals } from './refusals.js';

const idLine = /^(\d+)(;[\w.-]+)?$/;

/** What sbatch said. Lines that a site's profile prints before the id do not matter. */
export function parseSubmit(result: ExecResult): SubmitOutcome {
  const { stdout, stderr, exitCode } = result;
  const id = stdout
    .split('\n')
    .map((line) => idLine.exec(line.trim())?.[1])
    .findLast((found) => found !== undefined);
  if (exitCode === 0 && id !== undefined) return { kind: 'accepted', jobId: id };
  const message = (stderr.trim() || stdout.trim() || `sbatch ended with ${exitCode ?? result.signal}`).slice(0, 4_000);
  // Ended by a signal, or happy without an id, or an id in spite of an error: the job may be in the queue.
  if (exitCode === null || exitCode === 0 || id !== undefined) return { kind: 'unknown', message };
  const refusal = refusals.find(({ words }) => words.test(message));
  if (refusal === undefined || refusal.kind === 'unknown') return { kind: 'unknown', message };
  const { kind: reason, exitStatus } = refusal;
  return { kind: 'refused', reason, message, ...(exitStatus === undefined ? {} : { exitStatus }) };
}

/** Jobs that have ended, are unknown or belong to somebody else are no failure. */
const harmless =
  /Invalid job id specified|already completing or completed|Access\/permission denied|Job is not pending nor running/i;

/** Errors: a transient `scheduler-unavailable` when scancel did not reach the controller for all of the ids. */
export function parseKill(result: ExecResult): void {
  const isComplete = `\n${result.stdout}`.includes(`\n${marks.end('kill')}\n`);
  const complaints = result.stderr.split('\n').filter((line) => /error/i.test(line));
  const isExplained = result.exitCode === 0 || complaints.length > 0;
  if (isComplete && isExplained && complaints.every((line) => harmless.test(line))) return;
  throw unavailable(result, 'cancellation');
}
