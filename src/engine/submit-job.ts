import { type JobInput, jobSchema } from '../config/job.js';
import { resolveFiles, resolveModules } from '../config/job-file.js';
import { validate } from '../config/validate.js';
import { type JobRequest, submitJobs } from './prepare-jobs.js';
import type { Profile } from './profile.js';
import { computerNames, type ProcessSummary, summaryOf } from './views.js';

/**
 * Checks a job and stores it as a calcjob that is due at once; any driver runs it. Throws an InputError that tells
 * everything that is wrong, and then nothing is stored.
 *
 * @param given as a job file would have it
 * @param options `baseDirectory`: what relative names of input files start from; default: the current folder
 * @example
 * const { id } = await submitJob(profile, { computer: 'localhost', command: ['echo', 'hello'] });
 */
export async function submitJob(
  profile: Profile,
  given: JobInput,
  options: { readonly baseDirectory?: string } = {},
): Promise<ProcessSummary> {
  const [row] = await submitJobs(profile, [await readJob(given, options.baseDirectory)]);
  if (row === undefined) throw new Error('a job was given and none was stored');
  return summaryOf(row, await computerNames(profile.store));
}

/** Checks a job by its schema and finds its files here. Errors: `bad-input`. */
export async function readJob(given: JobInput, baseDirectory = process.cwd()): Promise<JobRequest> {
  const origin = { source: '' };
  const checked = validate(given, jobSchema, origin);
  const files = await resolveFiles(checked, baseDirectory, origin);
  return { job: await resolveModules(checked, baseDirectory, origin), files, origin };
}
