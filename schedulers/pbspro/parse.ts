import { type ExecResult, type JobInfo, type JobState, WherryError } from '../../src/plugin.js';
import { marks } from './commands.js';
import { type Json, readJson } from './json.js';
import { endedLetters, endings, ownExits, states, substates } from './states.js';

/** The jobs of a listing. Errors: a transient `scheduler-unavailable` when it is no complete answer. */
export function parseList(result: ExecResult): Iterable<JobInfo> {
  const text = `\n${result.stdout}`;
  const isComplete = result.exitCode === 0 && text.includes(`\n${marks.done}\n`) && !hasComplaint(result.stderr);
  if (!isComplete) throw unavailable(result);
  const answers = text.split(new RegExp(`^${marks.begin}\n`, 'm')).slice(1);
  return jobsIn(
    answers.flatMap((answer, index) => {
      const end = answer.lastIndexOf(`\n${marks.end} `);
      // Asked a second time, without history: what was said at first is void.
      if (end < 0 && index < answers.length - 1) return [];
      const code = Number.parseInt(answer.slice(end + marks.end.length + 2), 10);
      if (end < 0 || !answered.has(code)) throw unavailable(result);
      return [answer.slice(0, end)];
    }),
    result,
  );
}

/** Each call of qstat is about some hundred jobs, and read when its turn comes. */
function* jobsIn(answers: readonly string[], result: ExecResult): Generator<JobInfo> {
  for (const answer of answers) yield* jobsOf(answer, result);
}

/** What the look-up by name has found. */
export function parseFind(result: ExecResult): JobInfo[] {
  return [...parseList(result)];
}

/** Exit codes of qstat: all found, some have ended (where there is no history), some unknown. */
const answered: ReadonlySet<number> = new Set([0, 35, 153]);

const harmless = /Unknown Job Id|Job has finished/i;

function hasComplaint(stderr: string): boolean {
  return stderr.split('\n').some((line) => /^q(stat|select):/.test(line) && !harmless.test(line));
}

/** The error of a question that PBS did not answer. */
export function unavailable(result: ExecResult): WherryError {
  const words =
    result.stderr.trim().slice(0, 2_000) || `it was cut off (exit code ${result.exitCode ?? result.signal})`;
  return new WherryError('scheduler-unavailable', `PBS gave no complete answer: ${words}`, {
    transient: true,
    hint: 'this passes when the server answers again; `qstat -B` on the computer shows whether it does',
  });
}

function jobsOf(text: string, result: ExecResult): JobInfo[] {
  const json = readJson(text);
  if (!isObject(json)) throw unavailable(result);
  const { Jobs: jobs } = json;
  return isObject(jobs) ? Object.entries(jobs).flatMap(([id, job]) => (isObject(job) ? [jobOf(id, job)] : [])) : [];
}

type Attributes = { readonly [key: string]: Json };

function jobOf(id: string, job: Attributes): JobInfo {
  const letter = text(job.job_state) ?? '';
  const hasEnded = endedLetters.has(letter);
  const exit = typeof job.Exit_status === 'number' ? job.Exit_status : undefined;
  const state = hasEnded ? endOf(job, exit) : stateOf(letter, job);
  const signal = exit !== undefined && exit > 128 ? exit % 128 : undefined;
  const isOwnEnd = state === 'done' || state === 'failed';
  const used = isObject(job.resources_used) ? job.resources_used : {};
  return {
    id,
    state,
    word: letter,
    ...optional({
      name: text(job.Job_Name),
      reason: text(job.comment)?.trim() || (letter === 'H' ? text(job.depend) : undefined),
      // Beyond 128 a signal ended it: 128 + n from a shell, 256 + n from PBS.
      exitCode: hasEnded && isOwnEnd && exit !== undefined && exit >= 0 && exit <= 128 ? exit : undefined,
      signal: hasEnded && signal !== undefined && signal > 0 && signal < 65 ? signal : undefined,
      user: text(job.Job_Owner)?.split('@')[0],
      queue: text(job.queue),
      nodes: nodesOf(text(job.exec_host)),
      submittedAt: time(job.ctime),
      startedAt: time(job.stime),
      endedAt: hasEnded ? (time(job.obittime) ?? epoch(job.history_timestamp)) : undefined,
      expectedEndAt: state === 'running' ? expectedEnd(job) : undefined,
      walltime: seconds(text(used.walltime)),
    }),
  };
}

function stateOf(letter: string, job: Attributes): JobState {
  const waitsForDependency = letter === 'H' && job.substate === substates.waitsForDependency;
  if (waitsForDependency) return 'queued';
  return Object.hasOwn(states, letter) ? (states[letter] ?? 'unknown') : 'unknown';
}

/** A job without an exit status never ran: it was deleted, by its owner or with the job it depended on. */
function endOf(job: Attributes, exit: number | undefined): JobState {
  const comment = text(job.comment) ?? '';
  if (exit !== undefined && exit < 0) return ownExits[exit] ?? 'failed';
  const told = endings.find(({ words }) => words.test(comment));
  if (told !== undefined && exit !== 0) return told.state;
  if (exit === undefined || job.substate === substates.terminated) return 'cancelled';
  return exit === 0 ? 'done' : 'failed';
}

function isObject(value: Json | undefined): value is Attributes {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Names and accounts that look like numbers come as numbers. */
function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `Sat Nov 21 01:00:07 2026`, in UTC as we have asked for. */
function time(value: Json | undefined): string | undefined {
  const match = /^\w{3} (\w{3}) +(\d+) (\d\d:\d\d:\d\d) (\d{4})$/.exec(text(value) ?? '');
  const month = months.indexOf(match?.[1] ?? '') + 1;
  if (match === null || month === 0) return undefined;
  const two = (number: string | number | undefined) => String(number).padStart(2, '0');
  return `${match[4]}-${two(month)}-${two(match[2])}T${match[3]}Z`;
}

function epoch(value: Json | undefined): string | undefined {
  const isTime = typeof value === 'number' && value > 0 && value < 1e11;
  return isTime ? new Date(value * 1000).toISOString() : undefined;
}

/** Seconds of `hh:mm:ss`, where the hours may be many. */
function seconds(value: string | undefined): number | undefined {
  const match = /^(\d+):(\d\d):(\d\d)$/.exec(value ?? '');
  return match === null ? undefined : Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3]);
}

/** PBS ends a job when its walltime is over. */
function expectedEnd(job: Attributes): string | undefined {
  const wanted = isObject(job.Resource_List) ? seconds(text(job.Resource_List.walltime)) : undefined;
  const start = time(job.stime);
  return wanted === undefined || start === undefined
    ? undefined
    : new Date(Date.parse(start) + wanted * 1000).toISOString();
}

/** Hosts of `node1/0*2+node2/0*2`, each once. */
function nodesOf(hosts: string | undefined): string | undefined {
  if (hosts === undefined) return undefined;
  return [...new Set(hosts.split('+').map((host) => host.split('/')[0]))].join(',');
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function optional<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
