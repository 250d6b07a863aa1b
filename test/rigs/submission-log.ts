import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { quote } from '../../src/plugin/shell.js';

export interface QueuedJob {
  readonly state: string;
  readonly name: string;
}

/** One call of sbatch, as the cluster saw it. */
export interface Submission {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly exitCode: number;
  /** Of the job that was submitted. */
  readonly name: string;
  /** All jobs of the user in the queue right before it, ended ones not among them. */
  readonly before: readonly QueuedJob[];
}

export interface SubmissionLog {
  /** Put before the PATH of the sessions. */
  readonly directory: string;
  /** All calls so far, in their order. */
  entries(): Promise<Submission[]>;
}

/**
 * Stands before the real sbatch on the PATH. Calls go one after another, each with a look at the queue before it: a
 * queue grows by submissions alone, so that what stood in it before each of them, and one more, bounds what it ever
 * held, however short the jobs are.
 */
export async function logSubmissions(base: string, realPath: string): Promise<SubmissionLog> {
  const directory = path.join(base, 'logged-commands');
  const log = path.join(directory, 'log');
  const script = [
    '#!/bin/sh',
    `PATH=${quote(realPath)}`,
    `exec 9>>${quote(`${log}.lock`)}`,
    'flock 9',
    `before=$(squeue --noheader --me --format='= %T %j' 9>&-) || exit`,
    'at=$(date +%s%3N)',
    'reply=$(sbatch "$@" 9>&-); code=$?',
    'name=',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own substitution
    'for word; do case $word in --job-name=*) name=${word#*=} ;; esac; done',
    `printf '%s\\n' "> $at $code $name" "$before" >> ${quote(log)}`,
    'flock -u 9',
    `[ -z "$reply" ] || printf '%s\\n' "$reply"`,
    'exit $code',
  ];
  await mkdir(directory, { recursive: true });
  await writeFile(path.join(directory, 'sbatch'), `${script.join('\n')}\n`, { mode: 0o755 });
  await writeFile(log, '');
  await writeFile(`${log}.lock`, '');
  for (const file of [log, `${log}.lock`]) await chmod(file, 0o666);
  await chmod(base, 0o755);
  return {
    directory,
    async entries() {
      const calls = (await readFile(log, 'utf8')).split(/^> /m).slice(1);
      return calls.map((call) => {
        const [head = '', ...lines] = call.split('\n');
        const [at, exitCode, name = ''] = head.split(' ');
        return { at: Number(at), exitCode: Number(exitCode), name, before: lines.flatMap(queuedJob) };
      });
    },
  };
}

function queuedJob(line: string): QueuedJob[] {
  const [mark, state = '', ...name] = line.split(' ');
  return mark === '=' ? [{ state, name: name.join(' ') }] : [];
}
