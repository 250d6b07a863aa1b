import { createCalcJobs, type PreparedJob } from '../calcjob/create.js';
import { codesOf, programsOf } from '../calcjob/programs.js';
import { renderScript } from '../calcjob/script.js';
import { issueAt, issuesError, type Origin } from '../config/issues.js';
import type { Job } from '../config/job.js';
import { checkJob, withDefaultResources } from '../config/resolve-computer.js';
import { InputError, type InputIssue } from '../errors.js';
import type { ComputerRow, ProcessRow } from '../store/tables.js';
import { carriedIssues, mpiIssues, resolveCodes } from './codes-of-job.js';
import { getComputer, listComputers } from './computers.js';
import { type LoadedComputer, loadComputer } from './loaded-computer.js';
import type { Profile } from './profile.js';
import { checkStaging } from './staging-checks.js';

/** A job as it was read: checked by its schema, its input files found. */
export interface JobRequest {
  readonly job: Job;
  readonly files: PreparedJob['files'];
  /** Where it came from, for messages. */
  readonly origin: Origin;
  readonly uuid?: string;
  /** Why it shall not begin before somebody plays it. */
  readonly pausedFor?: string;
}

/**
 * Checks jobs against their computers and stores all of them, or none: everything that can be checked without the
 * computer is. One InputError tells all that is wrong with all of them.
 */
export async function submitJobs(profile: Profile, requests: readonly JobRequest[]): Promise<ProcessRow[]> {
  const prepared: PreparedJob[] = [];
  const errors: InputError[] = [];
  for (const request of requests) {
    try {
      prepared.push(await prepareJob(profile, request));
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      errors.push(error);
    }
  }
  if (errors.length > 0) throw joinErrors(errors);
  return createCalcJobs(profile, prepared);
}

/** Several errors of input as one. */
export function joinErrors(errors: readonly InputError[]): InputError {
  const [first] = errors;
  if (errors.length === 1 && first !== undefined) return first;
  const hint = errors.find((error) => error.hint !== undefined)?.hint;
  return new InputError(
    errors.map((error) => error.message).join('\n'),
    errors.flatMap((error) => error.issues),
    hint === undefined ? {} : { hint },
  );
}

/** Checks one job against its codes and its computer. Errors: an InputError that tells all that is wrong. */
export async function prepareJob(profile: Pick<Profile, 'store'>, request: JobRequest): Promise<PreparedJob> {
  const { job: given, files: sent, origin, ...rest } = request;
  const { job, files: carried } = await resolveCodes(profile.store, given, origin);
  const row = await computerOf(profile, job, origin);
  const computer = await loadComputer(row);
  const asked = { ...job, resources: withDefaultResources(job.resources, computer.config) };
  const resources = checkJob(asked, computer.scheduler, origin);
  const checked = { ...job, computer: row.label, resources: { ...resources } };
  const clashes = [...mpiIssues(checked, computer.config, origin), ...carriedIssues(carried, sent, origin)];
  if (clashes.length > 0) throw issuesError(origin.source, clashes);
  const files = [...sent, ...new Map(carried.map((file) => [file.path, file])).values()];
  checkScript(checked, computer, origin);
  checkStreams(checked, computer, files, origin);
  checkPools(checked, computer, origin);
  await checkStaging(profile.store, checked, row, files, origin);
  return { ...rest, job: checked, computer: row, files };
}

/** A job that names no computer goes to the only one there is. */
async function computerOf({ store }: Pick<Profile, 'store'>, job: Job, origin: Origin): Promise<ComputerRow> {
  if (job.computer === undefined) {
    const [only, ...others] = await listComputers(store);
    if (only !== undefined && others.length === 0) return only;
    const labels = [only, ...others].map((computer) => computer?.label).join(', ');
    throw withHint(origin, ['computer'], 'is missing', `name one of: ${labels}`);
  }
  try {
    return await getComputer(store, job.computer);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw withHint(origin, ['computer'], error.message, error.hint);
  }
}

function withHint(origin: Origin, path: readonly string[], message: string, hint: string | undefined): InputError {
  const { message: text, issues } = issuesError(origin.source, [issueAt(origin, path, message)]);
  return new InputError(text, issues, hint === undefined ? {} : { hint });
}

/** Whatever keeps a script from being written is found now, not when the job's turn comes. */
function checkScript(job: Job, { config, scheduler }: LoadedComputer, origin: Origin): void {
  try {
    renderScript({ job, computer: config, scheduler, jobName: 'wherry-0-0', directory: '/wherry' });
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    throw issuesError(origin.source, [issueAt(origin, [], error.message)]);
  }
}

/** What the job itself reads must be sent; what it writes must not destroy what was sent. */
function checkStreams(job: Job, { config }: LoadedComputer, files: JobRequest['files'], origin: Origin): void {
  const issues: InputIssue[] = [];
  const sent = new Set(files.map((file) => file.path));
  const programs = programsOf(job);
  const prepends = [config, ...codesOf(programs), job].map(({ prepend }) => prepend);
  const { remoteCopy = [], remoteSymlink = [], unstash, remoteFolder } = job;
  const fromThere = remoteCopy.length + remoteSymlink.length > 0 || (unstash ?? remoteFolder) !== undefined;
  // Commands before the program, and programs before another, may well make its input.
  const madeThere = fromThere || prepends.join('') !== '' || programs.length > 1;
  for (const { path, ...streams } of [{ path: [], ...job }, ...(job.codes === undefined ? [] : programs)]) {
    const { stdin } = streams;
    if (stdin !== undefined && !sent.has(stdin) && !madeThere) {
      issues.push(issueAt(origin, [...path, 'stdin'], `no file ${JSON.stringify(stdin)} is sent with the job`));
    }
    for (const name of ['stdout', 'stderr'] as const) {
      const message = `would overwrite the input file ${JSON.stringify(streams[name])}`;
      if (sent.has(streams[name] ?? '')) issues.push(issueAt(origin, [...path, name], message));
    }
  }
  if (issues.length > 0) throw issuesError(origin.source, issues);
}

/** A job that needs more of a pool than there is would wait for ever. */
function checkPools(job: Job, { config }: LoadedComputer, origin: Origin): void {
  const pools = config.limits.pools ?? {};
  const issues: InputIssue[] = [];
  for (const [pool, amount] of Object.entries(job.pools)) {
    const size = Object.hasOwn(pools, pool) ? pools[pool] : undefined;
    const known = Object.keys(pools).join(', ') || 'none';
    if (size === undefined) {
      issues.push(issueAt(origin, ['pools', pool], `is no pool of ${config.label}, which has: ${known}`, 'key'));
    } else if (amount > size) {
      issues.push(issueAt(origin, ['pools', pool], `needs ${amount} where the pool has only ${size}`));
    }
  }
  if (issues.length > 0) throw issuesError(origin.source, issues);
}
