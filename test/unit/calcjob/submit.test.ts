import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CalcJobContext, deadlines } from '../../../src/calcjob/context.js';
import { kill } from '../../../src/calcjob/kill.js';
import { waitingForUnknown } from '../../../src/calcjob/settle.js';
import { submit } from '../../../src/calcjob/submit.js';
import { computerSchema } from '../../../src/config/computer.js';
import { jobSchema } from '../../../src/config/job.js';
import { addComputer } from '../../../src/engine/computers.js';
import { WherryError } from '../../../src/errors.js';
import { carryOut } from '../../../src/process/transition.js';
import { eventsOf } from '../../../src/store/events.js';
import { claimLease, type Lease } from '../../../src/store/leases.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { insertProcess, storedProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';
import { FakeCluster } from './fake-cluster.js';
import { fakeScheduler } from './fake-scheduler.js';

describe('submitting', () => {
  let rig: TemporaryStore;
  let cluster: FakeCluster;
  let context: CalcJobContext;
  let abort: AbortController;
  let now: number;

  beforeEach(async () => {
    rig = await temporaryStore();
    cluster = new FakeCluster();
    abort = new AbortController();
    now = 1_000_000;
    const config = computerSchema.parse({ label: 'fake', transport: 'x', scheduler: 'y', workDirectory: '/w' });
    const computer = await addComputer(rig.store, config);
    const job = jobSchema.parse({ command: ['true'] });
    let nonce = 0;
    context = {
      refuseEntry: async () => undefined,
      row: await insertProcess(rig.store, {
        state: 'waiting',
        stage: 'submit',
        computer_id: computer.id,
        remote_directory: '/w/job',
      }),
      job,
      computer: { row: computer, config, scheduler: fakeScheduler, schedulerOptions: {} },
      connection: cluster.connect(),
      store: rig.store,
      repository: rig.repository,
      lease: await claimed('me'),
      signal: abort.signal,
      now: () => now,
      nonce: () => `nonce${++nonce}`,
    };
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  async function claimed(owner: string): Promise<Lease> {
    const lease = await claimLease(rig.store, 'computer:1', owner, now, 1000);
    if (lease === undefined) throw new Error('not claimed');
    return lease;
  }
  const submissions = () =>
    rig.store
      .selectFrom('submissions')
      .select(['attempt', 'job_name', 'outcome', 'job_id'])
      .orderBy('attempt')
      .execute();
  const events = async () => (await eventsOf(rig.store, context.row.id)).map(({ type }) => type);
  const again = async (): Promise<CalcJobContext> => {
    context = { ...context, row: await storedProcess(rig.store, context.row.id) };
    return context;
  };
  const submitted = async () => {
    const transition = await submit(context);
    if (transition === undefined) throw new Error('it was not submitted');
    return transition;
  };
  const commit = async (): Promise<ProcessRow> =>
    carryOut(rig.store, context.row, await submitted(), { now, lease: context.lease });
  /** The scheduler gets the job, we get no answer. */
  function loseReply(code: 'connection-lost' | 'timed-out' | 'aborted' = 'connection-lost'): void {
    cluster.intercept = async (script, options) => {
      if (!script.includes('fake-submit')) return undefined;
      cluster.intercept = () => undefined;
      const connection = cluster.connect();
      cluster.commands.pop();
      await connection.exec(script, options);
      throw new WherryError(code, 'the reply was lost', { transient: true });
    };
  }
  /** Nobody gets anything. */
  function loseRequest(): void {
    cluster.intercept = (script) => {
      if (!script.includes('fake-submit')) return undefined;
      cluster.intercept = () => undefined;
      throw new WherryError('connection-lost', 'the line broke', { transient: true });
    };
  }

  it('commits the intent before the scheduler hears of it, and the outcome with the transition', async () => {
    cluster.intercept = async (script, options) => {
      if (!script.includes('fake-submit')) return undefined;
      const other = await rig.again();
      const intended = await other.selectFrom('submissions').selectAll().execute();
      expect(intended).toMatchObject([
        { attempt: 1, outcome: 'intended', job_name: expect.stringContaining('nonce1') },
      ]);
      expect(script).toContain(intended[0]?.job_name);
      expect(options.stdin).toContain(`#FAKE ${intended[0]?.job_name}`);
      return undefined;
    };
    expect(await commit()).toMatchObject({
      state: 'waiting',
      stage: 'update',
      job_id: '101',
      scheduler_state: 'queued',
    });
    expect(await submissions()).toMatchObject([{ attempt: 1, outcome: 'accepted', job_id: '101' }]);
    expect(await events()).toEqual(['job.intended', 'job.submitted', 'process.stage']);
  });

  it.each(['connection-lost', 'timed-out', 'aborted'] as const)(
    'is unknown after a reply lost by %s; the marker then tells, and nothing is submitted again',
    async (code) => {
      loseReply(code);
      await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown', transient: true });
      expect(await storedProcess(rig.store, context.row.id)).toMatchObject({ waiting_for: waitingForUnknown });
      expect(await events()).toEqual(['job.intended', 'job.submission-unknown']);
      await again();
      expect(await commit()).toMatchObject({ stage: 'update', job_id: '101' });
      expect(cluster.count('fake-submit')).toBe(1);
      expect(cluster.count('fake-find')).toBe(0);
      expect(await submissions()).toMatchObject([{ attempt: 1, outcome: 'accepted', job_id: '101' }]);
    },
  );

  it('finds a job without a marker by its name in the queue', async () => {
    loseReply();
    await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
    cluster.markers.clear();
    cluster.jobs.unshift({ id: '7', name: 'somebody-elses', state: 'running', listed: true });
    await again();
    expect(await commit()).toMatchObject({ job_id: '101' });
    expect(cluster.count('fake-submit')).toBe(1);
  });

  it.each([
    ['', 'nothing'],
    ['0\naccepted 1', 'half of it'],
    ['\0\0\0', 'no text'],
    ['accepted 101\n--- stderr of the scheduler ---\n', 'no exit code'],
  ])('asks the queue when the marker is damaged: %j (%s)', async (text) => {
    loseReply();
    await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
    for (const file of cluster.markers.keys()) cluster.markers.set(file, text);
    await again();
    expect(await commit()).toMatchObject({ job_id: '101' });
    expect(cluster.count('fake-find')).toBe(1);
    expect(cluster.count('fake-submit')).toBe(1);
  });

  it('submits no script that arrived only in part, wherever the line broke', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'wherry-cut-'));
    await mkdir(path.join(directory, '.wherry'));
    await writeFile(path.join(directory, 'fake-submit'), '#!/bin/sh\n: > called\necho accepted 101\n', { mode: 0o755 });
    const sent: { script: string; input: string }[] = [];
    cluster.intercept = (script, { stdin }) => {
      if (script.includes('fake-submit')) sent.push({ script, input: String(stdin) });
      return undefined;
    };
    await submit(context);
    const [{ script, input } = { script: '', input: '' }] = sent;
    const run = (text: string) =>
      spawnSync('sh', ['-c', script], {
        cwd: directory,
        input: text,
        env: { PATH: `${directory}:${process.env.PATH}` },
        encoding: 'utf8',
      });
    const called = () => existsSync(path.join(directory, 'called'));
    const cuts = [0, 1, Math.floor(input.length / 2), input.length - 2];
    for (const cut of cuts) expect(run(input.slice(0, cut)).status, `cut at ${cut}`).not.toBe(0);
    expect(called()).toBe(false);
    expect(run(input)).toMatchObject({ status: 0, stdout: expect.stringContaining('accepted 101') });
    expect(called()).toBe(true);
    await rm(directory, { recursive: true });
  });

  it('stays unknown until the settle time is over, then submits once more under a new name', async () => {
    loseRequest();
    await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
    now += deadlines.scheduler + 9_999;
    await again();
    await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
    expect(cluster.count('fake-submit')).toBe(1);
    expect((await events()).filter((type) => type === 'job.submission-unknown')).toHaveLength(1);
    now += 1;
    await again();
    // It waits for its turn like any other: the limits are asked before it is submitted again.
    expect(await submit(context)).toBeUndefined();
    expect((await again()).row.waiting_for).toBeNull();
    expect(await commit()).toMatchObject({ job_id: '101' });
    const [first, second] = await submissions();
    expect(first).toMatchObject({ attempt: 1, outcome: 'absent', job_id: null });
    expect(second).toMatchObject({ attempt: 2, outcome: 'accepted', job_id: '101' });
    expect(second?.job_name).not.toBe(first?.job_name);
    expect(await events()).toContain('job.absent');
  });

  it('concludes nothing from a queue that does not answer, however late it is', async () => {
    loseRequest();
    await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
    now += 1_000_000;
    cluster.intercept = (script) =>
      script.startsWith('fake-find')
        ? { stdout: '', stderr: 'slurm_load_jobs error', exitCode: 1, signal: null, durationMs: 1 }
        : undefined;
    await again();
    await expect(submit(context)).rejects.toMatchObject({ code: 'scheduler-unavailable', transient: true });
    expect(cluster.count('fake-submit')).toBe(1);
    expect(await submissions()).toMatchObject([{ outcome: 'intended' }]);
  });

  it('takes a transition that could not be committed up from the accepted submission', async () => {
    const transition = await submitted();
    const { row } = context;
    await rig.store.transaction().execute(async (transaction) => transition.also?.(transaction, row));
    expect(await commit()).toMatchObject({ job_id: '101' });
    expect(cluster.count('fake-submit')).toBe(1);
  });

  it('is not intended while a limit that others share has no room', async () => {
    context = { ...context, refuseEntry: async () => 'the pool is empty' };
    expect(await submit(context)).toBeUndefined();
    expect(await submissions()).toEqual([]);
    expect(cluster.commands).toEqual([]);
  });

  it('ends a process whose job the scheduler refuses for good, with its own words', async () => {
    cluster.reply = { code: 1, stdout: 'permanent', stderr: 'invalid partition' };
    expect(await commit()).toMatchObject({
      state: 'finished',
      exit_status: 130,
      exit_label: 'SCHEDULER_REFUSED',
      exit_message: expect.stringContaining('invalid partition'),
      job_id: null,
    });
    expect(await submissions()).toMatchObject([{ outcome: 'refused' }]);
  });

  it('tells an invalid account by its own exit status', async () => {
    cluster.reply = { code: 1, stdout: 'permanent 131', stderr: 'no such account' };
    expect(await commit()).toMatchObject({ exit_status: 131, exit_label: 'INVALID_ACCOUNT' });
  });

  it.each([
    ['limit', 'limit-reached'],
    ['transient', 'scheduler-unavailable'],
  ])('waits when the scheduler refuses for now (%s), and submits under a new name later', async (word, code) => {
    cluster.reply = { code: 1, stdout: word, stderr: 'not now' };
    await expect(submit(context)).rejects.toMatchObject({ code, transient: true });
    expect(await storedProcess(rig.store, context.row.id)).toMatchObject({ state: 'waiting', stage: 'submit' });
    cluster.reply = { code: 0 };
    await again();
    expect(await commit()).toMatchObject({ job_id: '101' });
    expect(await submissions()).toMatchObject([
      { attempt: 1, outcome: 'refused' },
      { attempt: 2, outcome: 'accepted' },
    ]);
    expect(cluster.count('fake-find')).toBe(0);
  });

  it.each([
    { code: 0, stdout: 'unknown', stderr: 'socket timed out' },
    { code: 124, stdout: '' },
    { code: 137, stdout: 'accepted 5' },
  ])('is unknown when the scheduler itself cannot tell: %j', async (reply) => {
    cluster.reply = reply;
    await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
    expect(await submissions()).toMatchObject([{ outcome: 'intended' }]);
  });

  it('is unknown when a scheduler that asked to wait was cut off, and the limit is told as well', async () => {
    cluster.reply = { code: 124, stdout: 'limit', stderr: 'sleeping and retrying' };
    await expect(submit(context)).rejects.toMatchObject({
      code: 'submission-unknown',
      cause: { code: 'limit-reached', message: 'sleeping and retrying' },
    });
    expect(await submissions()).toMatchObject([{ outcome: 'intended' }]);
  });

  it('fails at once, and not as unknown, when the script could not even be written', async () => {
    const stderr = 'cat: write error: Disk quota exceeded';
    cluster.intercept = (script) =>
      script.includes('fake-submit') ? { stdout: '', stderr, exitCode: 97, signal: null, durationMs: 1 } : undefined;
    await expect(submit(context)).rejects.toMatchObject({
      code: 'command-failed',
      transient: false,
      message: expect.stringContaining('Disk quota exceeded'),
    });
    expect(await events()).not.toContain('job.submission-unknown');
  });

  it('is unknown when the command ended badly after the scheduler may have been asked', async () => {
    cluster.intercept = (script) =>
      script.includes('fake-submit')
        ? { stdout: '', stderr: 'mv: cannot move', exitCode: 1, signal: null, durationMs: 1 }
        : undefined;
    await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
  });

  it.each(['back-pressure', 'file-missing'] as const)(
    'says what is wrong when nothing ran at all: %s',
    async (code) => {
      cluster.intercept = (script) => {
        if (!script.includes('fake-submit')) return undefined;
        throw new WherryError(code, 'not begun');
      };
      await expect(submit(context)).rejects.toMatchObject({ code });
      expect(await events()).toEqual(['job.intended']);
    },
  );

  it('asks nobody once the lease is lost', async () => {
    now += 2000;
    await claimed('other');
    await expect(submit(context)).rejects.toMatchObject({ code: 'lease-lost' });
    expect(cluster.commands).toEqual([]);
    expect(await submissions()).toEqual([]);
  });

  it('writes nothing when the lease is lost while the scheduler answers; the next driver goes on from the marker', async () => {
    let lease = context.lease;
    cluster.intercept = async (script) => {
      if (script.includes('fake-submit')) {
        now += 2000;
        lease = await claimed('other');
      }
      return undefined;
    };
    await expect(commit()).rejects.toMatchObject({ code: 'lease-lost' });
    expect(await submissions()).toMatchObject([{ outcome: 'intended' }]);
    expect(await storedProcess(rig.store, context.row.id)).toEqual(context.row);
    context = { ...context, lease };
    expect(await commit()).toMatchObject({ job_id: '101' });
    expect(cluster.count('fake-submit')).toBe(1);
  });

  it('writes no waiting reason for a reply lost by its own stop', async () => {
    cluster.intercept = () => {
      abort.abort(new WherryError('aborted', 'stop'));
      throw new WherryError('aborted', 'stop');
    };
    await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
    expect(await storedProcess(rig.store, context.row.id)).toEqual(context.row);
    expect(await submissions()).toMatchObject([{ outcome: 'intended' }]);
  });

  describe('and a wish to kill', () => {
    const withKill = async () => {
      await rig.store.updateTable('processes').set({ kill_requested_at: 1, kill_reason: 'enough' }).execute();
      return again();
    };

    it('end at once where nothing was submitted', async () => {
      expect(await kill(await withKill())).toEqual({ to: 'killed', changes: { exit_message: 'enough' } });
      expect(cluster.commands).toEqual([]);
    });

    it('settle an unknown submission first: a job that is there goes on to be cancelled', async () => {
      loseReply();
      await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
      expect(await kill(await withKill())).toMatchObject({ stage: 'update', changes: { job_id: '101' } });
    });

    it('stay unknown before the settle time and kill after it, without a new submission', async () => {
      loseRequest();
      await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
      await expect(kill(await withKill())).rejects.toMatchObject({ code: 'submission-unknown' });
      now += deadlines.scheduler + 10_000;
      expect(await kill(await again())).toMatchObject({ to: 'killed' });
      expect(cluster.count('fake-submit')).toBe(1);
      expect(cluster.claim, 'a job that comes late runs nothing').toBe('killed');
      expect(cluster.count('fake-kill')).toBe(0);
    });

    it('cancel a job that has come late and runs, beside the one that is known', async () => {
      loseRequest();
      await expect(submit(context)).rejects.toMatchObject({ code: 'submission-unknown' });
      now += deadlines.scheduler + 10_000;
      await again();
      expect(await submit(context)).toBeUndefined();
      await again();
      context = { ...context, row: await commit() };
      cluster.claim = '77';
      expect(await kill(await withKill())).toBeUndefined();
      expect(cluster.commands.at(-1)).toBe('fake-kill 101 77');
    });

    it('cancel the job that the scheduler has, and leave its end to the listing', async () => {
      context = { ...context, row: await commit() };
      expect(await kill(await withKill())).toBeUndefined();
      expect(cluster.jobs).toMatchObject([{ id: '101', state: 'cancelled' }]);
    });
  });
});
