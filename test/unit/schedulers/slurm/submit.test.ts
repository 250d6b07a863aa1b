import { describe, expect, it } from 'vitest';
import slurm from '../../../../schedulers/slurm/index.js';
import { readCaptures, resultWith } from '../../../conformance/captures.js';

const submissions = readCaptures('slurm/submit.txt');
const faults = readCaptures('slurm/faults.txt');
const outcomeOf = (title: string) => slurm.parseSubmit(submissions.take(title).result);

const outcomes = {
  'plain submit': 'accepted',
  'with the cluster named': 'accepted',
  'without --parsable': 'unknown',
  'an array': 'accepted',
  'over the time limit of the partition': 'permanent',
  'unknown partition': 'permanent',
  'partition of a group': 'permanent',
  'partition that is down (accepted, stays queued)': 'accepted',
  'unknown account': 'permanent',
  'unknown qos': 'permanent',
  'unknown feature': 'permanent',
  'more memory than a node has': 'permanent',
  'more nodes than there are': 'permanent',
  'more nodes than the partition allows': 'permanent',
  'more processors per node than there are': 'permanent',
  'unknown generic resource': 'permanent',
  'bad time': 'permanent',
  'bad memory': 'permanent',
  'unknown option': 'permanent',
  'unknown reservation': 'permanent',
  'missing script': 'permanent',
  'script without interpreter line': 'permanent',
  'script with DOS line ends': 'permanent',
  'bad dependency': 'accepted',
  'qos limit, first': 'accepted',
  'qos limit, second': 'accepted',
  'qos limit, third (MaxSubmitJobsPerUser=2)': 'limit',
  'qos wall limit': 'permanent',
  'qos processors limit': 'permanent',
  'association limit, first': 'accepted',
  'association limit, second (MaxSubmitJobs=1)': 'limit',
  'partition that drains': 'transient',
  'partition that is inactive': 'transient',
} as const;

describe('what sbatch says', () => {
  it('is tested for every capture', () => {
    expect([...submissions.keys()]).toEqual(Object.keys(outcomes));
  });

  it.each(Object.entries(outcomes))('%s: %s', (title, expected) => {
    const outcome = outcomeOf(title);
    expect(outcome.kind === 'refused' ? outcome.reason : outcome.kind).toBe(expected);
  });

  it('reads the id', () => {
    expect(outcomeOf('plain submit')).toEqual({ kind: 'accepted', jobId: '1' });
    expect(outcomeOf('with the cluster named')).toEqual({ kind: 'accepted', jobId: '2' });
    const noisy = resultWith({ stdout: 'Welcome to the cluster\nquota: 12 %\n4711;daint\n' });
    expect(slurm.parseSubmit(noisy)).toEqual({ kind: 'accepted', jobId: '4711' });
  });

  it('gives an invalid account its exit status and its words', () => {
    expect(outcomeOf('unknown account')).toMatchObject({
      exitStatus: 131,
      message: expect.stringContaining('Invalid account or account/partition combination specified'),
    });
    expect(outcomeOf('unknown partition')).not.toHaveProperty('exitStatus');
  });

  it.each([
    ['controller hangs: submit', 'unknown'],
    ['controller down: submit', 'transient'],
    ['accounting down: submit', 'accepted'],
    ['munged down: submit', 'transient'],
  ])('%s: %s', (title, expected) => {
    const outcome = slurm.parseSubmit(faults.take(title).result);
    expect(outcome.kind === 'refused' ? outcome.reason : outcome.kind).toBe(expected);
  });

  it.each([
    ['Slurm temporarily unable to accept job, sleeping and retrying', 'limit'],
    ['Batch job submission failed: Resource temporarily unavailable', 'limit'],
    ['Slurm job queue full, sleeping and retrying', 'limit'],
    ['AssocGrpSubmitJobsLimit', 'limit'],
    ['QOSGrpSubmitJobsLimit', 'limit'],
    ['QOSMaxJobsPerUserLimit', 'limit'],
    ['QOSMaxSubmitJobPerAccountLimit', 'limit'],
    ['Batch job submission failed: Job violates accounting/QOS policy (job submit limit, ...)', 'limit'],
    ['AssocMaxWallDurationPerJobLimit', 'permanent'],
    ['Batch job submission failed: Unspecified error', 'permanent'],
    ['Batch job submission failed: Zero Bytes were transmitted or received', 'unknown'],
    ['Batch job submission failed: Slurm backup controller in standby mode', 'transient'],
    [
      'resolve_ctls_from_dns_srv: res_nsearch error: Unknown host. Could not establish a configuration source',
      'transient',
    ],
  ])('%s: %s', (words, expected) => {
    const outcome = slurm.parseSubmit(resultWith({ stderr: `sbatch: error: ${words}\n`, exitCode: 1 }));
    expect(outcome.kind === 'refused' ? outcome.reason : outcome.kind).toBe(expected);
  });

  it('is not sure when there is an id and an error, or neither', () => {
    const kind = (fields: object) => slurm.parseSubmit(resultWith(fields)).kind;
    expect(kind({ stdout: '12\n', stderr: 'sbatch: error: strange\n', exitCode: 1 })).toBe('unknown');
    expect(kind({ exitCode: 1 })).toBe('unknown');
  });
});
