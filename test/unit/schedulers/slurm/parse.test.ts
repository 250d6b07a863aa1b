import { describe, expect, it } from 'vitest';
import slurm from '../../../../schedulers/slurm/index.js';
import { parseAccounting } from '../../../../schedulers/slurm/parse.js';
import type { JobInfo } from '../../../../src/plugin.js';
import { readCaptures, resultWith } from '../../../conformance/captures.js';

const queue = readCaptures('slurm/queue.txt');
const accounting = readCaptures('slurm/accounting.txt');
const faults = readCaptures('slurm/faults.txt');
const without = readCaptures('slurm/without-accounting.txt');
const cancel = readCaptures('slurm/cancel.txt');
const byName = (jobs: readonly JobInfo[]) => new Map(jobs.map((job) => [job.name, job]));
const unavailable = expect.objectContaining({ code: 'scheduler-unavailable', transient: true });

describe('the listing', () => {
  const jobs = byName([...slurm.parseList(queue.take('many states').result)]);

  it.each([
    ['running', 'running', undefined],
    ['suspended', 'suspended', undefined],
    ['stubborn', 'completing', undefined],
    ['held', 'held', 'JobHeldUser'],
    ['requeued-held', 'held', 'job requeued in held state'],
    ['requeued', 'queued', 'BeginTime'],
    ['later', 'queued', 'BeginTime'],
    ['dependent', 'queued', 'Dependency'],
    ['never', 'queued', 'DependencyNeverSatisfied'],
    ['resources', 'queued', 'Resources'],
    ['partition-down', 'queued', 'PartitionDown'],
    ['done', 'done', undefined],
    ['failed', 'failed', 'NonZeroExitCode'],
    ['cancelled', 'cancelled', undefined],
    ['out-of-memory', 'out-of-memory', 'OutOfMemory'],
  ])('%s is %s', (name, state, reason) => {
    expect(jobs.get(name)?.state).toBe(state);
    expect(jobs.get(name)?.reason).toBe(reason);
  });

  it('reads names with separators and line breaks', () => {
    expect(jobs.get('a|b^^^c, "d" é')?.state).toBe('done');
    expect(jobs.get('two\nlines')?.state).toBe('done');
  });

  it('reads all fields of a running job, and no expected times of a waiting one', () => {
    const running = jobs.get('running');
    expect(running).toMatchObject({ word: 'RUNNING', user: 'user1', queue: 'debug', nodes: 'n1', walltime: 1 });
    expect(Date.parse(running?.startedAt ?? '')).toBeGreaterThan(0);
    expect(running).not.toHaveProperty('endedAt');
    expect(jobs.get('later')).not.toHaveProperty('startedAt');
  });

  it('expands arrays', () => {
    const tasks = [...slurm.parseList(queue.take('many states').result)].filter((job) => job.name === 'array');
    expect(tasks.map((job) => job.id.split('_')[1]).sort()).toEqual(['0', '1', '2', '3']);
  });

  it('drops what a profile prints before it', () => {
    const { stdout } = queue.take('of a user without jobs').result;
    expect([...slurm.parseList(resultWith({ stdout: `Welcome\n1|RUNNING\n${stdout}` }))]).toEqual([]);
  });
});

describe('the records', () => {
  const jobs = byName(parseAccounting(accounting.take('every end').result));

  it.each([
    ['timeout', { state: 'timeout' }],
    ['done', { state: 'done', exitCode: 0 }],
    ['failed', { state: 'failed', exitCode: 7 }],
    ['signalled', { state: 'failed', signal: 9 }],
    ['out-of-memory', { state: 'out-of-memory', word: 'OUT_OF_MEMORY' }],
    ['step-out-of-memory', { state: 'out-of-memory', word: 'FAILED' }],
    ['no-output', { state: 'failed', reason: '0:53: directory or output file could not be opened' }],
    ['cancelled', { state: 'cancelled', word: 'CANCELLED', reason: 'CANCELLED by 1001' }],
    ['node-failure', { state: 'node-failure' }],
    ['running', { state: 'running' }],
    ['requeued', { state: 'queued' }],
  ])('%s', (name, expected) => {
    expect(jobs.get(name)).toMatchObject(expected);
  });

  it('gives no exit code to jobs that Slurm ended', () => {
    for (const name of ['timeout', 'cancelled', 'node-failure', 'out-of-memory', 'signalled']) {
      expect(jobs.get(name)).not.toHaveProperty('exitCode');
    }
    expect(jobs.get('out-of-memory')).not.toHaveProperty('signal');
  });

  it('counts the newest of several records', () => {
    const { stdout } = accounting.take('all records of a requeued job').result;
    const result = resultWith({ stdout: `# begin accounting\n${stdout}# end accounting\n` });
    expect(parseAccounting(result).map((job) => job.word)).toEqual(['PENDING']);
  });

  it('knows nothing of unknown ids', () => {
    expect(parseAccounting(accounting.take('an unknown id').result)).toEqual([]);
    expect(parseAccounting(accounting.take('no id').result)).toEqual([]);
  });

  it('is no answer when the database is down, and an empty one when there is none', () => {
    expect(() => parseAccounting(faults.take('accounting down: accounting').result)).toThrow(unavailable);
    expect(() => parseAccounting(faults.take('munged down: accounting').result)).toThrow(unavailable);
    expect(parseAccounting(without.take('accounting').result)).toEqual([]);
  });
});

describe('finding by name', () => {
  it('finds queued, running and ended jobs', () => {
    expect(slurm.parseFind(queue.take('by name').result)).toMatchObject([{ name: 'running', state: 'running' }]);
    expect(slurm.parseFind(queue.take('by the name of a held job').result)).toMatchObject([{ state: 'held' }]);
    expect(slurm.parseFind(queue.take('by the name of an ended job').result)).toMatchObject([{ state: 'failed' }]);
    expect(slurm.parseFind(queue.take('by a name that nobody has').result)).toEqual([]);
    const lost = slurm.parseFind(faults.take('controller goes on: find the lost submission').result);
    expect(lost).toMatchObject([{ name: 'lost-controller-hangs' }]);
  });

  it.each(['controller hangs', 'controller down', 'accounting down', 'munged down'])('%s: no answer', (fault) => {
    expect(() => slurm.parseFind(faults.take(`${fault}: find`).result)).toThrow(unavailable);
  });

  it('asks the queue alone where no accounting is kept', () => {
    expect(slurm.parseFind(without.take('find').result)).toHaveLength(2);
  });
});

describe('cancelling', () => {
  it.each([...cancel.keys()])('%s is no failure', (title) => {
    expect(() => slurm.parseKill(cancel.take(title).result)).not.toThrow();
  });

  it.each(['controller hangs', 'controller down', 'munged down'])('%s: not reached', (fault) => {
    expect(() => slurm.parseKill(faults.take(`${fault}: cancel`).result)).toThrow(unavailable);
  });

  it('takes the word of newer releases that a job is gone', () => {
    const stderr = 'scancel: error: Kill job error on job id 12: Invalid job id specified\n';
    expect(() => slurm.parseKill(resultWith({ stdout: '# end kill\n', stderr, exitCode: 1 }))).not.toThrow();
  });
});
