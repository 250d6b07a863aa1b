import { randomUUID } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ownFiles } from '../calcjob/context.js';
import type { PreparedJob } from '../calcjob/create.js';
import type { CalcJobDefinition } from '../calcjob/define-calcjob.js';
import { jobDirectory } from '../calcjob/job-directory.js';
import { excludedRole } from '../calcjob/passing.js';
import { streamsOf } from '../calcjob/programs.js';
import { renderScript } from '../calcjob/script.js';
import type { JobInput } from '../config/job.js';
import { WherryError } from '../errors.js';
import { checkInputs } from '../process/inputs.js';
import type { CallOptions } from '../workflow/context.js';
import { prepareCalcJob } from './lanes/calcjob-run.js';
import { loadComputer } from './loaded-computer.js';
import { type JobRequest, prepareJob } from './prepare-jobs.js';
import { copyInto, type OutgoingFile, outgoing } from './process-files.js';
import type { Profile } from './profile.js';
import { readJob } from './submit-job.js';

/** What a dry run wrote. */
export interface DryRun {
  /** Absolute path of the folder, which is as the job's directory would be. */
  readonly folder: string;
  readonly script: string;
}

/** Where dry runs go, below the current folder. */
const place = 'submit_test';

/** Folders of one day are numbered up to here. */
const mostFolders = 100_000;

/**
 * Checks a job and writes what would be sent into a new folder `./submit_test/<date>-<n>`: its input files, its script
 * (`.wherry/job-1.sh`) and the job as it would be stored (`.wherry/job.json`). Nothing is stored and nothing is sent.
 * Errors: `bad-input` as for a submission.
 * @param options `baseDirectory`: what relative names of input files start from; `directory`: instead of `submit_test`
 */
export async function dryRunJob(
  profile: Profile,
  given: JobInput,
  options: { readonly baseDirectory?: string; readonly directory?: string } = {},
): Promise<DryRun> {
  return writeDryRun(profile, await readJob(given, options.baseDirectory), options.directory);
}

/** Does the same with a job that was read. */
export async function writeDryRun(profile: Profile, request: JobRequest, directory?: string): Promise<DryRun> {
  const prepared = await prepareJob(profile, request);
  const sent = prepared.files.map((file) =>
    'source' in file
      ? { path: file.path, mode: file.mode, source: async () => file.source }
      : outgoing(profile.repository, file),
  );
  return writeFolder(prepared, sent, directory);
}

/** Does the same with the job that a definition prepares; no process is stored. */
export async function writeDryRunOf(
  { store, repository }: Pick<Profile, 'store' | 'repository'>,
  definition: CalcJobDefinition,
  given: unknown,
  { directory, ...options }: CallOptions & { readonly directory?: string },
): Promise<DryRun> {
  const uuid = randomUUID();
  try {
    const inputs = await checkInputs(definition, given, repository);
    const { job, files } = await prepareCalcJob({ store, repository }, definition, inputs, { ...options, uuid });
    const aside = repository.passing(uuid);
    const sent = files.map((file) => outgoing(file.role === excludedRole ? aside : repository, file));
    return await writeFolder(job, sent, directory);
  } finally {
    await repository.forget(uuid);
  }
}

async function writeFolder(
  { job, computer, uuid = randomUUID() }: PreparedJob,
  sent: readonly OutgoingFile[],
  directory = place,
): Promise<DryRun> {
  const { config, scheduler } = await loadComputer(computer);
  // Names of user and home are known on the computer only.
  const remote = jobDirectory(config.workDirectory, uuid);
  const script = renderScript({ job, computer: config, scheduler, jobName: 'wherry-0-dry-run', directory: remote });
  const folder = await newFolder(path.resolve(directory));
  await copyInto(folder, sent, false);
  for (const stream of [...streamsOf(job), ownFiles.upload]) {
    await mkdir(path.join(folder, path.dirname(stream)), { recursive: true });
  }
  const scriptFile = path.join(folder, ownFiles.script(1));
  await writeFile(scriptFile, script);
  await chmod(scriptFile, 0o700);
  await writeFile(path.join(folder, ownFiles.directory, 'job.json'), `${JSON.stringify(job, null, 2)}\n`);
  return { folder, script };
}

async function newFolder(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const now = new Date();
  const two = (value: number) => String(value).padStart(2, '0');
  const date = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  for (let number = 1; number <= mostFolders; number++) {
    const folder = path.join(directory, `${date}-${number}`);
    try {
      await mkdir(folder);
      return folder;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
  throw new WherryError('file-exists', `${directory} has ${mostFolders} folders of today`, { hint: 'remove some' });
}
