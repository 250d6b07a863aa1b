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
