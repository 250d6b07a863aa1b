import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import pbspro from '../../../../schedulers/pbspro/index.js';

const job = { name: 'wherry-1-0a1b', resources: {}, stdout: '.wherry/out.txt', stderr: '.wherry/err.txt' };

it('writes everything that PBS can be asked for', () => {
  const header = pbspro.header({
    ...job,
    resources: {
      nodes: 2,
      tasksPerNode: 32,
      cpusPerTask: 2,
      gpusPerNode: 4,
      memoryPerNode: 64 * 2 ** 30 + 1,
      walltime: 100 * 3600 + 0.5,
    },
    queue: 'workq',
    account: 'proj1',
    headerLines: ['#PBS -r n'],
  });
  expect(header).toEqual([
    '#PBS -N wherry-1-0a1b',
    '#PBS -o .wherry/out.txt',
    '#PBS -e .wherry/err.txt',
    '#PBS -l select=2:ncpus=64:mpiprocs=32:ompthreads=2:ngpus=4:mem=65537mb',
    '#PBS -l place=scatter',
    '#PBS -l walltime=100:00:01',
    '#PBS -q workq',
    '#PBS -A proj1',
    '#PBS -r n',
  ]);
});

it('says what else a job wants of PBS', () => {
  const mail = { to: 'me@example.org', onBegin: false, onEnd: true, onFail: true };
  const wishes = { rerunnable: false, mail, hold: true, exclusive: true, importEnvironment: true };
  const header = pbspro.header({ ...job, ...wishes, resources: { nodes: 2 }, headerLines: ['#PBS -p 5'] });
  expect(header.slice(3)).toEqual([
    '#PBS -l select=2:ncpus=1:mpiprocs=1',
    '#PBS -l place=scatter:excl',
    '#PBS -r n',
    '#PBS -m ae',
    '#PBS -M me@example.org',
    '#PBS -h',
    '#PBS -V',
    '#PBS -p 5',
  ]);
  expect(pbspro.header({ ...job, exclusive: true })).toContain('#PBS -l place=excl');
  const plain = { hold: false, exclusive: false, importEnvironment: false };
  expect(pbspro.header({ ...job, ...plain })).toEqual(pbspro.header(job));
});

it('has the computer convert the time at which a job may begin into its own zone', async () => {
  const request = { ...{ name: 'wherry-1-0a1b', script: '.wherry/job-1.sh', directory: '/d' }, resources: {} };
  const place = { workDirectory: '/w', options: {} };
  const { words } = pbspro.submit({ ...request, ...place, beginTime: '2027-01-31T22:30:00.000Z' });
  const folder = await mkdtemp(path.join(tmpdir(), 'wherry-qsub-'));
  try {
    await writeFile(path.join(folder, 'qsub'), '#!/bin/sh\nprintf "%s\\n" "$@"\n', { mode: 0o755 });
    const [program, ...rest] = words;
    const env = { PATH: `${folder}:${process.env.PATH}`, TZ: 'UTC-2' };
    const { stdout } = await promisify(execFile)(program, rest, { env });
    expect(stdout).toBe('-N\nwherry-1-0a1b\n-a\n202702010030.00\n.wherry/job-1.sh\n');
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('asks for nothing that was not asked for', () => {
  expect(pbspro.header(job).filter((line) => line.startsWith('#PBS -l'))).toEqual([]);
});

it('refuses values that would be read as more than themselves', () => {
  for (const value of ['', 'a b', '-h', 'a#x', 'a\n', '$(id)']) {
    expect(() => pbspro.header({ ...job, queue: value })).toThrow(/cannot be given to PBS/);
    expect(() => pbspro.header({ ...job, account: value })).toThrow(/cannot be given to PBS/);
  }
  expect(() => pbspro.header({ ...job, stdout: 'host:/etc/passwd' })).toThrow(/stdout/);
});

it('keeps the brackets of array ids from being read as file patterns', () => {
  const command = pbspro.kill({ user: 'user1', workDirectory: '/', options: {}, ids: ['7[].pbshead', '7[2].pbshead'] });
  expect(command.words.join(' ')).toContain('set -f');
  expect(command.stdin).toBe('7[].pbshead 7[2].pbshead\n');
});
