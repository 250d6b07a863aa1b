import { isAbsolute } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PreparedCalcJob } from '../../calcjob/define-calcjob.js';
import { issueAt, issuesError, type Origin } from '../../config/issues.js';
import { type Job, jobSchema } from '../../config/job.js';
import { resolveModules } from '../../config/job-file.js';
import { validate } from '../../config/validate.js';
import { InputError, type InputIssue } from '../../errors.js';
import type { CallOptions } from '../../workflow/context.js';

/** What a job file may say and `prepare` may not, and neither may its caller. */
const notPrepared: Readonly<Record<string, string>> = {
  files: 'is for job files: `prepare` writes input files into `folder`',
  parser: 'is for job files: a definition has `parse`',
  label: 'is said by the caller, beside `job`',
  description: 'is said by the caller, beside `job`',
};
const notCalled = { ...notPrepared, command: 'is said by the definition' };

/**
 * The job that a definition has prepared, with what its caller says of it.
 * Errors: InputError with all that is wrong, also with modules of monitors
 */
export async function jobOfDefinition(
  prepared: PreparedCalcJob | undefined,
  { label, description, job: own = {} }: CallOptions,
  origin: Origin,
): Promise<Job> {
  const issues = [...misplaced(prepared ?? {}, notPrepared, origin), ...misplaced(own, notCalled, origin)];
  const given = {
    ...prepared,
    ...own,
    resources: { ...prepared?.resources, ...own.resources },
    environment: { ...prepared?.environment, ...own.environment },
    ...(label === undefined ? {} : { label }),
    ...(description === undefined ? {} : { description }),
  };
  const job = await collect(issues, () => validate(given, jobSchema, origin));
  const located = job && (await collect(issues, () => withModules(job, origin)));
  if (located === undefined || issues.length > 0) throw issuesError(origin.source, issues);
  return located;
}

function misplaced(said: object, not: Readonly<Record<string, string>>, origin: Origin): InputIssue[] {
  const names = Object.entries(said).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  return names.flatMap((name) => (Object.hasOwn(not, name) ? [issueAt(origin, [name], not[name] ?? '', 'key')] : []));
}

/** The job with its monitors' modules as absolute paths: where a relative one begins nobody knows who drives the job. */
async function withModules(job: Job, origin: Origin): Promise<Job> {
  if (job.monitors === undefined) return job;
  const issues: InputIssue[] = [];
  const monitors = Object.entries(job.monitors).map(([name, monitor]) => {
    const module = pathOf(monitor.module);
    const message = 'must be an absolute path or a URL, such as new URL("./monitor.mjs", import.meta.url).href';
    if (!isAbsolute(module)) issues.push(issueAt(origin, ['monitors', name, 'module'], message));
    return [name, { ...monitor, module }];
  });
  if (issues.length > 0) throw issuesError(origin.source, issues);
  return resolveModules({ ...job, monitors: Object.fromEntries(monitors) }, '/', origin);
}

function pathOf(module: string): string {
  try {
    return module.startsWith('file:') ? fileURLToPath(module) : module;
  } catch {
    return '';
  }
}

async function collect<Value>(issues: InputIssue[], work: () => Value | Promise<Value>): Promise<Value | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    issues.push(...error.issues);
    return undefined;
  }
}
