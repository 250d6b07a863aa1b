import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import slurm from '../../../../schedulers/slurm/index.js';
import { formatTime } from '../../../../schedulers/slurm/script.js';

const job = { name: 'wherry-1-0a1b', resources: {}, stdout: '.wherry/100%.txt', stderr: '.wherry/err.txt' };

describe('the header', () => {
  it('writes everything that Slurm can be asked for', () => {
    const header = slurm.header({
      ...job,
      resources: {
        nodes: 2,
        tasksPerNode: 64,
        cpusPerTask: 2,
        gpusPerNode: 4,
        memoryPerNode: 64 * 2 ** 30 + 1,
        walltime: 5400.5,
      },
      queue: 'normal',
      account: 's1234',
      qos: 'high',
      constraint: 'gpu&(a100|h100)',
      headerLines: ['#SBATCH --hint=nomultithread'],
    });
    expect(header).toEqual([
      '#SBATCH --job-name=wherry-1-0a1b',
      '#SBATCH --output=.wherry/100%%.txt',
      '#SBATCH --error=.wherry/err.txt',
      '#SBATCH --nodes=2',
      '#SBATCH --ntasks-per-node=64',
      '#SBATCH --cpus-per-task=2',
      '#SBATCH --gpus-per-node=4',
      '#SBATCH --mem=65537M',
      '#SBATCH --time=0-01:30:01',
      '#SBATCH --partition=normal',
      '#SBATCH --account=s1234',
      '#SBATCH --qos=high',
      '#SBATCH --constraint=gpu&(a100|h100)',
      '#SBATCH --hint=nomultithread',
    ]);
  });

  it('says what else a job wants of Slurm, and nothing of what it does not say', () => {
    const mail = { to: 'me+jobs@example.org', onBegin: true, onEnd: true, onFail: true };
    const header = slurm.header({
      ...job,
      ...{ rerunnable: true, mail, hold: true, beginTime: '2027-01-31T22:30:00.500Z', exclusive: true },
      importEnvironment: false,
      headerLines: ['#SBATCH --nice=5'],
    });
    expect(header.slice(3)).toEqual([
      '#SBATCH --mail-type=BEGIN,END,FAIL',
      '#SBATCH --mail-user=me+jobs@example.org',
      '#SBATCH --begin=uts1801434601',
      '#SBATCH --export=NONE',
      '#SBATCH --requeue',
      '#SBATCH --hold',
      '#SBATCH --exclusive',
      '#SBATCH --nice=5',
      'export SLURM_EXPORT_ENV=ALL',
    ]);
    const plain = { hold: false, exclusive: false, importEnvironment: true };
    expect(slurm.header({ ...job, ...plain })).toEqual(slurm.header(job));
    expect(slurm.header({ ...job, rerunnable: false }).at(-1)).toBe('#SBATCH --no-requeue');
  });

  it('refuses values that would be read as more than themselves', () => {
    for (const to of ['', 'a b', '-a@b', 'a\n#SBATCH --hold', 'a,b', '$(id)@b']) {
      const mail = { to, onBegin: true, onEnd: false, onFail: false };
      expect(() => slurm.header({ ...job, mail })).toThrow(/cannot be given to Slurm/);
    }
    expect(() => slurm.header({ ...job, beginTime: 'now\n#SBATCH --hold' })).toThrow(/no time/);
    for (const field of ['queue', 'account', 'qos', 'constraint'] as const) {
      for (const value of ['', 'a b', 'a #x', 'a"b', "a'b", 'a\\b', 'a\n', '$(id)']) {
        expect(() => slurm.header({ ...job, [field]: value })).toThrow(/cannot be given to Slurm/);
      }
    }
  });

  it('writes times that mean at least what was asked for, and less than a second more', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 315_360_000, noNaN: true }), (seconds) => {
        const match = /^(\d+)-(\d\d):(\d\d):(\d\d)$/.exec(formatTime(seconds));
        const [days = 0, hours = 0, minutes = 0, rest = 0] = (match ?? []).slice(1).map(Number);
        const written = ((days * 24 + hours) * 60 + minutes) * 60 + rest;
        expect(written).toBe(Math.ceil(seconds));
        expect([hours < 24, minutes < 60, rest < 60]).toEqual([true, true, true]);
      }),
    );
  });
});

describe('commands', () => {
  it('refuses ids that are none', () => {
    for (const id of ['', '1;2', '12 13', '-u', '1_[1-3]']) {
      expect(() => slurm.kill({ user: 'user1', workDirectory: '/', options: {}, ids: [id] })).toThrow(/no job id/);
    }
  });

  it('splits many ids into lines', () => {
    const ids = Array.from({ length: 1_000 }, (_, index) => String(index + 1));
    const { stdin = '' } = slurm.kill({ user: 'user1', workDirectory: '/', options: {}, ids });
    expect(stdin.trim().split('\n')).toHaveLength(3);
    expect(stdin.split(/\s/).filter((id) => id !== '')).toEqual(ids);
  });
});
