import { describe, expect, it } from 'vitest';
import pbspro from '../../../../schedulers/pbspro/index.js';
import { type Capture, readCaptures, resultWith } from '../../../conformance/captures.js';

const submissions = readCaptures('pbspro/submit.txt');
const refusals = readCaptures('pbspro/refusals.txt');
const faults = readCaptures('pbspro/faults.txt');
const cancel = readCaptures('pbspro/cancel.txt');

function outcomeOf({ result }: Pick<Capture, 'result'>): string {
  const outcome = pbspro.parseSubmit(result);
  return outcome.kind === 'refused' ? outcome.reason : outcome.kind;
}

const accepted = [
  'queue limit, 1st',
  'name starting with a digit',
  'bad dependency',
  'unknown account (accepted)',
  'stopped queue (accepted, stays queued)',
];
const others = new Map([
  ['queue limit, 2nd (max_queued u:PBS_GENERIC=1)', 'limit'],
  ['queue not enabled', 'transient'],
  ...accepted.map((title) => [title, 'accepted'] as const),
]);

describe('what qsub says', () => {
  it.each([...submissions.keys()])('accepts: %s', (title) => {
    const { result } = submissions.take(title);
    expect(pbspro.parseSubmit(result)).toEqual({ kind: 'accepted', jobId: result.stdout.trim() });
  });

  it.each([...refusals.keys()].map((title) => [title, others.get(title) ?? 'permanent']))(
    '%s: %s',
    (title, expected) => {
      expect(outcomeOf(refusals.take(title))).toBe(expected);
    },
  );

  it('keeps the words', () => {
    const outcome = pbspro.parseSubmit(refusals.take('unknown queue').result);
    expect(outcome).toEqual({ kind: 'refused', reason: 'permanent', message: 'qsub: Unknown queue' });
  });

  it('passes when the server is down, and is not sure when it hung', () => {
    expect(outcomeOf(faults.take('server down: qsub'))).toBe('transient');
    expect(outcomeOf(faults.take('server hangs (SIGSTOP): qsub, 15 s'))).toBe('unknown');
    expect(outcomeOf({ result: resultWith({ stderr: 'qsub: End of File\n', exitCode: 1 }) })).toBe('unknown');
  });

  it.each([
    ["qsub: would exceed complex's per-user limit of jobs in 'Q' state", 'limit'],
    ['qsub: Maximum number of jobs already in queue', 'limit'],
    ["qsub: Maximum number of jobs in 'Q' state for user user1 already in complex", 'limit'],
    ['qsub: Bad UID for job execution', 'permanent'],
  ])('%s: %s', (stderr, expected) => {
    expect(outcomeOf({ result: resultWith({ stderr, exitCode: 38 }) })).toBe(expected);
  });

  it('gives an invalid account its exit status', () => {
    const stderr = 'qsub: Invalid account: s9999\n';
    expect(pbspro.parseSubmit(resultWith({ stderr, exitCode: 32 }))).toMatchObject({ exitStatus: 131 });
  });
});

describe('what qdel says', () => {
  const killed =
    ({ result }: Capture) =>
    () =>
      pbspro.parseKill({ ...result, stdout: `${result.stdout}# end\n` });
  const harmless = ['running', 'queued', 'already finished', 'unknown', 'twice', 'array', 'known and unknown together'];

  it.each([...harmless, "another user's job"])('%s is no failure', (title) => {
    expect(killed(cancel.take(title))).not.toThrow();
  });

  it('passes when the server or the host of the job is away', () => {
    const unavailable = expect.objectContaining({ code: 'scheduler-unavailable', transient: true });
    expect(killed(faults.take('server down: qdel'))).toThrow(unavailable);
    expect(killed(faults.take('mom killed: qdel of a running job'))).toThrow(unavailable);
  });
});
