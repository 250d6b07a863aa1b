import { type ExecResult, type JobInfo, type SubmitOutcome, WherryError } from '../../src/plugin.js';
import { reasons, states } from './states.js';

function unavailable(result: ExecResult): WherryError {
  const said = result.stderr.trim().slice(0, 500);
  const how = result.exitCode === null ? `signal ${result.signal}` : `exit code ${result.exitCode}`;
  return new WherryError('scheduler-unavailable', `the queue gave no complete answer (${how})${said && `: ${said}`}`, {
    transient: true,
    hint: 'check that the work directory of the computer is there and can be written',
  });
}

/** Reads the answer of a submission. Without a clear word the job may have been accepted. */
export function parseSubmit(result: ExecResult): SubmitOutcome {
  const accepted = /^submitted\t(\d+\.[0-9a-f]{8})\n/m.exec(result.stdout);
  if (accepted?.[1] !== undefined) return { kind: 'accepted', jobId: accepted[1] };
  const refused = /^refused\t(permanent|transient)\t(.+)$/m.exec(result.stdout);
  const said = result.stderr.trim().slice(0, 500);
  if (refused?.[2] !== undefined) {
    const reason = refused[1] === 'permanent' ? 'permanent' : 'transient';
    return { kind: 'refused', reason, message: said ? `${refused[2]}: ${said}` : refused[2] };
  }
  return { kind: 'unknown', message: said || 'the queue gave no answer' };
}

const given = (field: string | undefined) => (field === undefined || field === '-' ? undefined : field);

/** What a table says of a word that came from outside. */
const own = <T>(table: Readonly<Record<string, T>>, word: string) =>
  Object.hasOwn(table, word) ? table[word] : undefined;

function time(field: string | undefined): string | undefined {
  return /^\d{1,11}$/.test(field ?? '') ? new Date(Number(field) * 1000).toISOString() : undefined;
}

function defined<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(fields).filter((entry) => entry[1] !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

function parseJob(line: string): JobInfo | undefined {
  const [kind, id, word, code, , walltime, submitted, started, ended, name, reason] = line.split('\t');
  if (kind !== 'job' || id === undefined || word === undefined || reason === undefined) return undefined;
  const exitCode = /^\d+$/.test(code ?? '') ? Number(code) : undefined;
  return {
    id,
    word,
    state: own(states, word) ?? 'unknown',
    ...defined({
      name: given(name),
      reason: given(reason) ?? own(reasons, word),
      exitCode,
      // The shell that waits for the job knows a signal only as 128 and its number.
      signal: exitCode !== undefined && exitCode > 128 && exitCode <= 128 + 64 ? exitCode - 128 : undefined,
      submittedAt: time(submitted),
      startedAt: time(started),
      endedAt: time(ended),
      walltime: /^\d+$/.test(walltime ?? '') ? Number(walltime) : undefined,
    }),
  };
}

/** Reads a listing, which is complete when its last line counts the others. */
export function parseList(result: ExecResult): JobInfo[] {
  const lines = result.stdout.split('\n');
  const end = lines.findIndex((line) => line.startsWith('end\t'));
  const jobs = lines.map(parseJob).filter((job) => job !== undefined);
  if (result.exitCode !== 0 || end < 0 || Number(lines[end]?.slice(4)) !== jobs.length) throw unavailable(result);
  // A job that ended while the listing was made stands in it twice, the end last.
  return [...new Map(jobs.map((job) => [job.id, job])).values()];
}

/** Throws when the queue was not reached, or when a job runs where it cannot be killed from here. */
export function parseKill(result: ExecResult): void {
  if (result.exitCode !== 0 || !/^end\t\d+$/m.test(result.stdout)) throw unavailable(result);
  const elsewhere = /^elsewhere\t(\S+)\t(.*)$/m.exec(result.stdout);
  if (elsewhere) {
    throw new WherryError('command-failed', `job ${elsewhere[1]} runs on ${elsewhere[2]}, not on this computer`, {
      hint: `point the computer's connection at ${elsewhere[2]} itself, not at a name shared by several computers`,
    });
  }
}
