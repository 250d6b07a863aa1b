import { homedir } from 'node:os';
import { basename, dirname, resolve } from 'node:path';
import type { InputIssue } from '../errors.js';
import { readCheckedDocument } from './document.js';
import { issueAt, issuesError, type Origin, type Path } from './issues.js';
import { type Job, jobSchema } from './job.js';
import { type Allowance, collectFiles, mostEntries, type ResolvedFile, UnusableFile } from './local-files.js';
import { nearestFile, readTextFile } from './text-file.js';

export type { ResolvedFile };

export interface JobFile {
  readonly job: Job;
  readonly files: readonly ResolvedFile[];
  /** For later checks of the same job, such as `checkJob`. */
  readonly origin: Origin;
}

/** Reads a job file (`-`: standard input) and finds its input files, relative to the folder of the job file. */
export async function readJobFile(path: string): Promise<JobFile> {
  const source = path === '-' ? 'standard input' : path;
  const { value: job, origin } = readCheckedDocument(await readTextFile(path), { source, schema: jobSchema });
  const baseDirectory = path === '-' ? process.cwd() : dirname(resolve(path));
  const files = await resolveFiles(job, baseDirectory, origin);
  return { job: await resolveModules(job, baseDirectory, origin), files, origin };
}

/** The job with the absolute paths of its parser and its monitors, which must be there. Throws an InputError. */
export async function resolveModules(job: Job, baseDirectory: string, origin: Origin = { source: '' }): Promise<Job> {
  const issues: InputIssue[] = [];
  const find = async (module: string, path: Path) => {
    const file = absolute(module, baseDirectory);
    try {
      const [found] = await collectFiles(file, '', { left: 1 });
      if (found?.source !== file) throw new UnusableFile(`${JSON.stringify(file)} is a folder`);
    } catch (error) {
      if (!(error instanceof UnusableFile)) throw error;
      const hint = error.missing ? `: ${JSON.stringify(module)}${await nearestFile(file)}` : '';
      issues.push(issueAt(origin, path, error.message + hint));
    }
    return file;
  };
  const parser = job.parser === undefined ? {} : { parser: await find(job.parser, ['parser']) };
  const monitors: NonNullable<Job['monitors']> = {};
  for (const [name, monitor] of Object.entries(job.monitors ?? {})) {
    monitors[name] = { ...monitor, module: await find(monitor.module, ['monitors', name, 'module']) };
  }
  if (issues.length > 0) throw issuesError(origin.source, issues);
  return { ...job, ...parser, ...(job.monitors === undefined ? {} : { monitors }) };
}

function absolute(local: string, baseDirectory: string): string {
  return resolve(
    baseDirectory,
    local.replace(/^~(?=\/)/, () => homedir()),
  );
}

/**
 * The local files that a job names, each checked, sorted by their names on the computer. A folder stands for every
 * file below it; `~/` is the user's home. Throws one InputError for all that is wrong.
 */
export async function resolveFiles(
  job: Pick<Job, 'files'>,
  baseDirectory: string,
  origin: Origin = { source: '' },
): Promise<ResolvedFile[]> {
  const issues: InputIssue[] = [];
  const allowance: Allowance = { left: mostEntries };
  const taken = new Map<string, string>();
  const files: ResolvedFile[] = [];
  for (const [target, local] of Object.entries(job.files)) {
    const path = ['files', target];
    try {
      for (const file of await collectEntry(target, local, baseDirectory, allowance)) {
        const other = taken.get(file.path);
        if (other === undefined) files.push(file);
        else issues.push(issueAt(origin, path, `${JSON.stringify(file.path)} is given by files[${other}] too`, 'key'));
        taken.set(file.path, JSON.stringify(target));
      }
    } catch (error) {
      if (!(error instanceof UnusableFile)) throw error;
      const hint = error.missing ? `: ${JSON.stringify(local)}${await nearestFile(resolve(baseDirectory, local))}` : '';
      issues.push(issueAt(origin, path, error.message + hint));
    }
  }
  issues.push(...filesUsedAsFolders(taken, origin));
  if (issues.length > 0) throw issuesError(origin.source, issues);
  return files.sort((one, other) => (one.path < other.path ? -1 : 1));
}

async function collectEntry(
  target: string,
  local: string,
  baseDirectory: string,
  allowance: Allowance,
): Promise<ResolvedFile[]> {
  if (local.includes('\0')) throw new UnusableFile('a file name cannot hold a NUL character');
  const source = absolute(local, baseDirectory);
  const folder = target.replace(/\/$/, '');
  const files = await collectFiles(source, folder, allowance);
  // `pseudo/: ./Si.UPF` puts the file into the folder, as cp does.
  const single = target !== folder && files[0]?.source === source ? files[0] : undefined;
  return single ? [{ ...single, path: `${folder}/${basename(source)}` }] : files;
}

function filesUsedAsFolders(taken: ReadonlyMap<string, string>, origin: Origin): InputIssue[] {
  const issues: InputIssue[] = [];
  for (const [path, target] of taken) {
    for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) {
      const folder = path.slice(0, end);
      if (!taken.has(folder)) continue;
      const message = `${JSON.stringify(folder)} cannot be both a file and the folder of ${JSON.stringify(path)}`;
      issues.push(issueAt(origin, ['files', JSON.parse(target)], message, 'key'));
    }
  }
  return issues;
}
