import { type ExecResult, endedJobStates, type JobInfo, type JobState, WherryError } from '../../src/plugin.js';
import { accountingFields, marks, queueFields } from './commands.js';
import { heldReasons, launchCode, outOfMemoryCode, states } from './states.js';

/** The listing of squeue. Errors: a transient `scheduler-unavailable` when it is no complete answer. */
export function parseList(result: ExecResult): Iterable<JobInfo> {
  return jobs(section(result, 'queue'), queueFields.length, queueJob);
}

/** Queue and accounting; where a site keeps no accounting, the queue alone is the answer. */
export function parseFind(result: ExecResult): JobInfo[] {
  const queued = parseList({ ...result, exitCode: 0 });
  const recorded = isWithoutAccounting(result) ? [] : parseAccounting(result);
  // The queue knows better what is going on; the records know ends that the queue has forgotten.
  return [...new Map([...recorded, ...queued].map((job) => [job.id, job])).values()];
}

/** The records of sacct; empty where a site keeps none. */
export function parseAccounting(result: ExecResult): JobInfo[] {
  if (isWithoutAccounting(result)) return [];
  const recorded = jobs(section(result, 'accounting'), accountingFields.length, recordedJob);
  // A requeued job may have several records: the newest counts, and sacct lists them in the order of submission.
  return [...new Map([...recorded].map((job) => [job.id, job])).values()];
}

function isWithoutAccounting({ stderr, exitCode }: ExecResult): boolean {
  return exitCode !== 0 && /accounting storage is disabled|sacct: (command )?not found/i.test(stderr);
}

/** The text between the marks of one part of an answer. */
function section(result: ExecResult, part: string): string {
  const text = `\n${result.stdout}`;
  const begin = `\n${marks.begin(part)}\n`;
  const from = text.indexOf(begin);
  const to = text.lastIndexOf(`\n${marks.end(part)}\n`);
  const isComplete = result.exitCode === 0 && from >= 0 && to >= from + begin.length - 1;
  // While the directory of users is out of order squeue shows no jobs of an "invalid user" and exits with 0.
  if (isComplete && !/Invalid user/i.test(result.stderr)) return text.slice(from + begin.length, to + 1);
  throw unavailable(result, part);
}

/** The error of a question that Slurm did not answer. */
export function unavailable(result: ExecResult, part: string): WherryError {
  const words =
    result.stderr.trim().slice(0, 2_000) || `it was cut off (exit code ${result.exitCode ?? result.signal})`;
  return new WherryError('scheduler-unavailable', `Slurm gave no complete answer about the ${part}: ${words}`, {
    transient: true,
    hint: 'this passes when the controller answers again; `sinfo` on the computer shows whether it does',
  });
}

/**
 * The jobs of a text, one by one, each from the fields of its line. A line that begins with no job id continues the name
 * before it: names may hold line breaks.
 */
function* jobs(text: string, count: number, jobOf: (fields: readonly string[]) => JobInfo): Generator<JobInfo> {
  let open: string[] | undefined;
  for (const line of lines(text)) {
    const fields = line.split('|');
    if (fields.length >= count && /^\d/.test(line)) {
      if (open !== undefined) yield jobOf(open);
      open = [...fields.slice(0, count - 1), fields.slice(count - 1).join('|')];
    } else if (open !== undefined) open[count - 1] += `\n${line}`;
  }
  if (open !== undefined) yield jobOf(open);
}

function* lines(text: string): Generator<string> {
  let begin = 0;
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', begin)) {
    yield text.slice(begin, end);
    begin = end + 1;
  }
}

function queueJob(fields: readonly string[]): JobInfo {
  const [id = '', word = '', user, queue, submitted, start, end, elapsed, nodes, reason = '', name = ''] = fields;
  const known = stateOf(word);
  const state = known === 'queued' && heldReasons.test(reason) ? 'held' : known;
  const started = state !== 'queued' && state !== 'held';
  return {
    id,
    name,
    state,
    word,
    ...optional({
      reason: text(reason),
      user: text(user),
      queue: text(queue),
      nodes: text(nodes),
      submittedAt: time(submitted),
      // Of a job that has not begun or not ended squeue tells what it expects.
      startedAt: started ? time(start) : undefined,
      endedAt: endedJobStates.has(state) ? time(end) : undefined,
      expectedEndAt: state === 'running' ? time(end) : undefined,
      walltime: started ? seconds(elapsed) : undefined,
      exitCode: state === 'done' ? 0 : undefined,
    }),
  };
}

function recordedJob(fields: readonly string[]): JobInfo {
  const [id = '', words = '', user, queue, submitted, start, end, elapsed, nodes, exit = '', derived = '', name = ''] =
    fields;
  const [word = ''] = words.split(' ');
  const [code, signal] = exit.split(':').map(Number);
  const state = recordedState(word, signal, derived);
  const isOwnEnd = state === 'done' || state === 'failed';
  return {
    id,
    name,
    state,
    word,
    ...optional({
      reason:
        isOwnEnd && signal === launchCode ? `${exit}: directory or output file could not be opened` : by(words, word),
      user: text(user),
      queue: text(queue),
      nodes: text(nodes),
      submittedAt: time(submitted),
      startedAt: time(start),
      endedAt: time(end),
      walltime: elapsed === undefined || !/^\d+$/.test(elapsed) ? undefined : Number(elapsed),
      // Slurm writes 0:0 of jobs that it ended itself; that is no exit code of theirs.
      exitCode: isOwnEnd && signal === 0 ? code : undefined,
      signal: signal !== undefined && signal > 0 && signal < 65 && signal !== launchCode ? signal : undefined,
    }),
  };
}

/** A step can run out of memory while its script goes on and fails later: the derived exit code still tells. */
function recordedState(word: string, signal: number | undefined, derived: string): JobState {
  const state = stateOf(word);
  const isOutOfMemory = signal === outOfMemoryCode || Number(derived.split(':')[1]) === outOfMemoryCode;
  return state === 'failed' && isOutOfMemory ? 'out-of-memory' : state;
}

function stateOf(word: string): JobState {
  return Object.hasOwn(states, word) ? (states[word] ?? 'unknown') : 'unknown';
}

function by(words: string, word: string): string | undefined {
  return words === word ? undefined : words;
}

/** squeue and sacct have several ways to say that there is nothing to say. */
const nothing = new Set(['', 'None', 'N/A', 'n/a', '(null)', 'None assigned', 'Unknown', 'INVALID']);

function text(value: string | undefined): string | undefined {
  return value === undefined || nothing.has(value) ? undefined : value;
}

/** We have asked for UTC. */
function time(value: string | undefined): string | undefined {
  return value !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/.test(value) ? `${value}Z` : undefined;
}

/** Seconds of `d-hh:mm:ss`, of which all but `mm:ss` may be missing. */
function seconds(value: string | undefined): number | undefined {
  const match = /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)$/.exec(value ?? '');
  if (match === null) return undefined;
  const [days = 0, hours = 0, minutes = 0, rest = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return ((days * 24 + hours) * 60 + minutes) * 60 + rest;
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function optional<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>;
}
