import { describe, expect, it } from 'vitest';
import { computerOf } from '../../../src/cli/computer-arguments.js';

describe('a computer from options', () => {
  it('is what a computer file would give', () => {
    const given = {
      transport: 'ssh',
      host: 'daint.cscs.ch',
      connection: ['port=2222', 'user=me', 'identityFile=["a","b"]', 'loginShell=true', 'agent="none"'],
      scheduler: 'slurm',
      'work-directory': '/scratch/{user}/wherry',
      mpirun: 'srun -n  {totalTasks}',
      limit: ['maxQueued=100', 'minPollInterval=30s'],
    };
    expect(computerOf(given, { label: 'daint' })).toEqual({
      label: 'daint',
      transport: 'ssh',
      connection: {
        host: 'daint.cscs.ch',
        port: 2222,
        user: 'me',
        identityFile: ['a', 'b'],
        loginShell: true,
        agent: 'none',
      },
      scheduler: 'slurm',
      workDirectory: '/scratch/{user}/wherry',
      mpirun: ['srun', '-n', '{totalTasks}'],
      limits: { maxQueued: 100, minPollInterval: '30s' },
    });
  });

  it('changes single keys of what there is, and removes those with an empty value', () => {
    const base = { label: 'x', connection: { host: 'a', user: 'me' }, limits: { maxQueued: 3 }, prepend: 'old' };
    expect(computerOf({ connection: ['user=', 'port=1'], limit: ['maxQueued='], prepend: '' }, base)).toEqual({
      label: 'x',
      connection: { host: 'a', port: 1 },
      limits: {},
      prepend: '',
    });
    expect(computerOf({}, base)).toEqual(base);
  });

  it('refuses what is no JSON though it looks like it', () => {
    expect(() => computerOf({ connection: ['identityFile=[a'] }, {})).toThrow('is no JSON');
    expect(() => computerOf({ limit: ['maxQueued'] }, {})).toThrow('has no "="');
  });
});
