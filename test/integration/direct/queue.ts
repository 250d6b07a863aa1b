import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import direct from '../../../schedulers/direct/index.js';
import type { Command, ExecResult, JobInfo, Resources } from '../../../src/plugin.js';
import { endedJobStates } from '../../../src/plugin.js';
import { until } from '../../rigs/until.js';

export interface Run {
  readonly directory?: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly detached?: boolean;
}

/** Runs a command as a transport would, but directly. */
export function start(command: Command, { directory, environment, detached = false }: Run = {}) {
  const [program, ...rest] = command.words;
  const child = spawn(program, rest, { cwd: directory, env: environment ?? process.env, detached });
  const result = new Promise<ExecResult>((resolve, reject) => {
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', reject);
    child.on('close', (exitCode, signal) => resolve({ stdout, stderr, exitCode, signal, durationMs: 0 }));
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(command.stdin ?? '');
  return { child, result };
}

export interface QueueOptions {
  readonly slots?: number;
  readonly environment?: NodeJS.ProcessEnv;
}

/** A queue in a folder of its own; `close` ends its jobs and removes it. */
export async function openQueue({ slots = 1, environment }: QueueOptions = {}) {
  const root = await mkdtemp(join(tmpdir(), 'wherry-direct-'));
  const workDirectory = join(root, 'work');
  await mkdir(workDirectory);
  const context = { user: 'me', workDirectory, options: { slots } };
  const run: Run = environment ? { environment } : {};
  const state = join(workDirectory, '.wherry-queue');
  let made = 0;

  /** Makes a job's directory with its script. */
  async function prepare(body: string, name = `job-${++made}`, folder = name, script = 'job.sh') {
    const directory = join(workDirectory, folder);
    await mkdir(directory, { recursive: true });
    const header = direct.header({ name, resources: {}, stdout: 'out.txt', stderr: 'err.txt' });
    await writeFile(join(directory, script), ['#!/bin/sh', ...header, body, ''].join('\n'));
    return { name, directory, script };
  }

  const submission = (job: { name: string; directory: string; script: string }, resources: Resources = {}) =>
    direct.submit({ ...job, resources, workDirectory, options: context.options });

  async function submit(body: string, resources: Resources = {}) {
    const job = await prepare(body);
    const outcome = direct.parseSubmit(
      await start(submission(job, resources), { ...run, directory: job.directory }).result,
    );
    if (outcome.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(outcome)}`);
    return { ...job, id: outcome.jobId };
  }

  const list = async (ids: readonly string[] = []) => [
    ...direct.parseList(await start(direct.list({ ...context, ids }), run).result),
  ];
  const find = async (name: string) =>
    direct.parseFind(await start(direct.find({ ...context, name, since: 0 }), run).result);
  const kill = async (...ids: string[]) => direct.parseKill(await start(direct.kill({ ...context, ids }), run).result);
  const show = async (id: string): Promise<JobInfo | undefined> => (await list([id])).find((job) => job.id === id);

  const stateOf = async (id: string) => (await show(id))?.state;

  /** The job once it has ended. */
  const ended = (id: string, timeout = 15_000) =>
    until(
      async () => {
        const job = await show(id);
        return job && endedJobStates.has(job.state) ? job : undefined;
      },
      { timeout, what: `the end of job ${id}` },
    );

  /** Waits for the fields of the running file: id, cpus, started, host, boot, pid, start. */
  const runningFields = (id: string) =>
    until(
      async () => {
        const file = join(state, 'running', String(Number.parseInt(id, 10)));
        const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
          if (error.code === 'ENOENT') return '';
          throw error;
        });
        return text.includes('\nleader\t') && text.split(/[\t\n]/);
      },
      { what: `the record of job ${id}` },
    );

  async function close() {
    await until(
      async () => {
        if (!(await readdir(workDirectory)).includes('.wherry-queue')) return true;
        const jobs = await list();
        await kill(...jobs.map((job) => job.id));
        return jobs.length === 0;
      },
      { what: 'the end of all jobs', timeout: 15_000 },
    );
    await rm(root, { recursive: true, force: true });
  }

  return {
    root,
    workDirectory,
    state,
    context,
    prepare,
    submission,
    submit,
    list,
    find,
    kill,
    show,
    stateOf,
    ended,
    runningFields,
    close,
    run,
  };
}

export type Queue = Awaited<ReturnType<typeof openQueue>>;
