import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import direct from '../../../schedulers/direct/index.js';
import { renderScript } from '../../../src/calcjob/script.js';
import { computerSchema } from '../../../src/config/computer.js';
import { type JobInput, jobSchema } from '../../../src/config/job.js';
import { until } from '../../rigs/until.js';

const run = promisify(execFile);

describe('the job script', () => {
  let directory: string;

  beforeEach(async () => {
    directory = path.join(await mkdtemp(path.join(tmpdir(), 'wherry-script-')), "odd 'name' $(x)\n");
    await mkdir(path.join(directory, '.wherry'), { recursive: true });
  });
  afterEach(() => rm(path.dirname(directory), { recursive: true, force: true }));

  function script(job: JobInput, shebang = '#!/bin/sh', more: Record<string, unknown> = {}): string {
    const computer = computerSchema.parse({
      label: 'c',
      transport: 'local',
      scheduler: 'direct',
      workDirectory: '/tmp/w',
      shebang,
      ...more,
    });
    return renderScript({ job: jobSchema.parse(job), computer, scheduler: direct, jobName: 'n', directory });
  }

  async function write(text: string): Promise<string> {
    const file = path.join(directory, 'job.sh');
    await writeFile(file, text);
    await chmod(file, 0o700);
    return file;
  }

  async function start(text: string, jobId = '7'): Promise<ChildProcess> {
    return spawn(await write(text), { env: { PATH: process.env.PATH, WHERRY_DIRECT_ID: jobId }, stdio: 'ignore' });
  }

  async function ended(child: ChildProcess): Promise<number | null> {
    return new Promise((resolve, reject) => child.once('exit', resolve).once('error', reject));
  }

  const exitFile = () => readFile(path.join(directory, '.wherry/exit'), 'utf8').catch(() => undefined);

  it.each(['#!/bin/sh', '#!/bin/bash', '#!/bin/bash -l'])(
    'keeps the exit code of the command under %s',
    async (shebang) => {
      expect(await ended(await start(script({ command: ['sh', '-c', 'exit 3'], append: 'true' }, shebang)))).toBe(3);
      expect(await exitFile()).toBe('3\n');
    },
  );

  it('keeps the exit code of a prepend that leaves', async () => {
    expect(await ended(await start(script({ command: ['true'], prepend: 'exit 5' })))).toBe(5);
    expect(await exitFile()).toBe('5\n');
  });

  it.each(['#!/bin/sh', '#!/bin/bash'])('never tells success when a signal ended it under %s', async (shebang) => {
    const child = await start(script({ command: ['sh', '-c', 'echo $$ > pid; exec sleep 100'] }, shebang));
    const pid = await until(
      () =>
        readFile(path.join(directory, 'pid'), 'utf8').then(
          (text) => /^\d+\n/.test(text) && text,
          () => false,
        ),
      { what: 'the command' },
    );
    const end = ended(child);
    child.kill('SIGTERM');
    process.kill(Number(pid), 'SIGTERM');
    expect(await end).toBe(143);
    expect(await exitFile()).toBe('143\n');
  });

  it('runs once when it was submitted twice, and again when the scheduler requeues the same job', async () => {
    const text = script({ command: ['sh', '-c', 'echo run >> ../runs'], stdout: 'o', stderr: 'e' });
    expect(await ended(await start(text, '7'))).toBe(0);
    expect(await ended(await start(text, '8'))).toBe(0);
    expect(await ended(await start(text, '7'))).toBe(0);
    expect(await readFile(path.join(directory, '../runs'), 'utf8')).toBe('run\nrun\n');
  });

  it('never executes names and values', async () => {
    const odd = ['$(touch pwned)', '`touch pwned`', "it's", '"quoted"', 'two words', '-n', 'ünï\ncode', '$HOME', '*'];
    const environment = { ODD: odd.join(';') };
    const text = script({
      command: ['sh', '-c', 'printf "%s\\n" "$@"; printf "%s" "$ODD" >&2', 'sh', ...odd],
      environment,
      stdout: '-out $(touch pwned)',
      stderr: 'err `x`',
    });
    expect(await ended(await start(text))).toBe(0);
    expect(await readFile(path.join(directory, '-out $(touch pwned)'), 'utf8')).toBe(`${odd.join('\n')}\n`);
    expect(await readFile(path.join(directory, 'err `x`'), 'utf8')).toBe(environment.ODD);
    await expect(readFile(path.join(directory, 'pwned'))).rejects.toThrow(/ENOENT/);
  });

  it('puts the words of mpirun before the command when there are several tasks', async () => {
    const mpirun = ['srun', '-n', '{totalTasks}', '--nodes={nodes}'];
    const resources = { nodes: 2, tasksPerNode: 8 };
    expect(script({ command: ['pw.x'], resources }, '#!/bin/sh', { mpirun })).toContain(
      '\nsrun -n 16 --nodes=2 pw.x > ',
    );
    expect(script({ command: ['pw.x'], resources, mpi: false }, '#!/bin/sh', { mpirun })).toContain('\npw.x > ');
    expect(script({ command: ['pw.x'] }, '#!/bin/sh', { mpirun })).toContain('\npw.x > ');
  });

  it('is read without complaint by the shells', async () => {
    const file = await write(
      script({ command: ['true'], environment: { A: "'" }, prepend: 'module() { :; }; module load x' }),
    );
    for (const shell of ['sh', 'bash', 'dash']) await run(shell, ['-n', file]);
  });
});
