import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accounting } from '../../../schedulers/slurm/commands.js';
import plugin from '../../../schedulers/slurm/index.js';
import { parseAccounting } from '../../../schedulers/slurm/parse.js';
import type { Command, JobHeader, JobInfo, SubmitOutcome } from '../../../src/plugin.js';
import { waitUntil } from '../../rigs/daemon.js';
import { type Slurm, startSlurm } from '../../rigs/slurm.js';
import { isRoot } from '../../rigs/test-user.js';

let slurm: Slurm;
let started: number;
let count = 0;

beforeAll(async () => {
  started = Date.now();
  slurm = await startSlurm({ messageTimeout: 2 });
});
afterAll(() => slurm?.stop());

const query = () => ({ user: slurm.user.name, workDirectory: '/tmp', options: {} });
const ask = ({ words, stdin = '' }: Command) => slurm.runAsUser(words, { input: stdin, timeout: 60_000 });

async function write(job: Partial<JobHeader>, body: string): Promise<{ name: string; script: string }> {
  const name = job.name ?? `wherry-${++count}-test`;
  const script = `/tmp/${name}-${slurm.environment.SLURM_CONF?.split('/').at(-2)}.sh`;
  const header = plugin.header({ resources: {}, stdout: '/dev/null', stderr: '/dev/null', ...job, name });
  const text = ['#!/bin/sh', ...header, body, ''].join('\n');
  await slurm.runAsUser(['sh', '-c', 'cat > "$1"', 'sh', script], { input: text });
  return { name, script };
}

async function submit(job: Partial<JobHeader>, body = 'true'): Promise<{ name: string; outcome: SubmitOutcome }> {
  const { name, script } = await write(job, body);
  const request = { ...query(), name, script, directory: '/tmp', resources: job.resources ?? {} };
  const outcome = plugin.parseSubmit(await ask(plugin.submit(request)));
  await slurm.runAsUser(['rm', '-f', script]);
  return { name, outcome };
}

async function accepted(job: Partial<JobHeader>, body?: string): Promise<string> {
  const { outcome } = await submit(job, body);
  if (outcome.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(outcome)}`);
  return outcome.jobId;
}

const list = async () => [...plugin.parseList(await ask(plugin.list({ ...query(), ids: [] })))];
const records = async (ids: readonly string[]) =>
  parseAccounting(await ask(accounting({ ids, since: started - 86_400_000 })));
const find = async (name: string) =>
  plugin.parseFind(await ask(plugin.find({ ...query(), name, since: started - 86_400_000 })));
const kill = async (ids: readonly string[]) => plugin.parseKill(await ask(plugin.kill({ ...query(), ids })));

async function listed(id: string, state: JobInfo['state']): Promise<JobInfo | undefined> {
  let job: JobInfo | undefined;
  await waitUntil(`job ${id} ${state}`, async () => {
    job = (await list()).find((candidate) => candidate.id === id);
    return job?.state === state;
  });
  return job;
}

async function recorded(id: string, state: JobInfo['state'], patience?: number): Promise<JobInfo | undefined> {
  let job: JobInfo | undefined;
  await waitUntil(
    `record of job ${id} ${state}`,
    async () => {
      [job] = await records([id]);
      return job?.state === state;
    },
    patience,
  );
  return job;
}

describe('a real Slurm', () => {
  it('runs jobs, and tells how they ended', async () => {
    const timeout = await accepted({ resources: { walltime: 120 } }, 'sleep 300');
    const running = await listed(timeout, 'running');
    expect(running).toMatchObject({ user: slurm.user.name, queue: 'debug' });
    expect(Date.parse(running?.startedAt ?? '')).toBeGreaterThan(started - 5_000);
    expect(Date.parse(running?.startedAt ?? '')).toBeLessThan(Date.now() + 5_000);
    await slurm.setTimeLimitNow(timeout);

    const done = await accepted({
      resources: { nodes: 1, tasksPerNode: 2, memoryPerNode: 64 * 2 ** 20, walltime: 60 },
    });
    const failed = await accepted({}, 'exit 7');
    const signalled = await accepted({}, 'kill -9 $$');
    const lost = await accepted({ stdout: '/nosuchdir/out' });
    const held = await accepted({ headerLines: ['#SBATCH --hold'] });
    expect(await recorded(done, 'done')).toMatchObject({ exitCode: 0, word: 'COMPLETED' });
    expect(await recorded(failed, 'failed')).toMatchObject({ exitCode: 7 });
    expect(await recorded(signalled, 'failed')).toMatchObject({ signal: 9 });
    expect(await recorded(lost, 'failed')).toMatchObject({ reason: expect.stringContaining('0:53') });
    expect(await listed(held, 'held')).toMatchObject({ reason: 'JobHeldUser' });
    if (slurm.canOutOfMemory) {
      const body = 'head -c 300000000 /dev/zero | tail | wc -c';
      const outOfMemory = await accepted({ resources: { memoryPerNode: 60 * 2 ** 20 } }, body);
      expect(await recorded(outOfMemory, 'out-of-memory')).toMatchObject({ word: 'OUT_OF_MEMORY' });
    }
    // The controller looks at time limits every 30 seconds.
    expect(await recorded(timeout, 'timeout', 60_000)).not.toHaveProperty('exitCode');
  });

  it('holds a job until it is released, and lets another begin at its time and not before', async () => {
    const mail = { to: 'nobody', onBegin: true, onEnd: true, onFail: true };
    const options = { rerunnable: false, mail, exclusive: true, importEnvironment: false };
    const held = await accepted({ hold: true, ...options }, '[ "$SLURM_EXPORT_ENV" = ALL ]');
    const begin = Math.ceil(Date.now() / 1000) + 7_200;
    const later = await accepted({ beginTime: new Date(begin * 1000).toISOString() });
    expect(await listed(held, 'held')).toMatchObject({ reason: 'JobHeldUser' });
    const shown = async (id: string) => (await slurm.run(['scontrol', 'show', 'job', id])).stdout;
    expect(await shown(held)).toMatch(/Requeue=0 [\s\S]*OverSubscribe=NO [\s\S]*MailType=BEGIN,END,FAIL/);
    const start = (await slurm.run(['env', 'TZ=UTC0', 'squeue', '-h', '-j', later, '-o', '%r %S'])).stdout.trim();
    expect(start).toBe(`BeginTime ${new Date(begin * 1000).toISOString().slice(0, 19)}`);
    await slurm.runAsUser(['scontrol', 'release', held]);
    await kill([later]);
    expect(await recorded(held, 'done')).toMatchObject({ exitCode: 0 });
  });

  it('cancels jobs, whatever else is in the list', async () => {
    const running = await accepted({}, 'sleep 300');
    const queued = await accepted({ headerLines: ['#SBATCH --hold'] });
    await listed(running, 'running');
    await kill([running, '999999', queued]);
    await listed(running, 'cancelled');
    await listed(queued, 'cancelled');
    await kill([running, queued]);
    expect(await recorded(running, 'cancelled')).toMatchObject({ reason: expect.stringMatching(/^CANCELLED by \d+$/) });
  });

  it('finds a job by its name, queued or ended', async () => {
    const { name, outcome } = await submit({ name: 'wherry-77-nonce' });
    expect(outcome.kind).toBe('accepted');
    await waitUntil('its end', async () => (await find(name))[0]?.state === 'done');
    expect(await find(name)).toHaveLength(1);
    expect(await find('wherry-77-other')).toEqual([]);
  });

  it('reads names of other jobs that hold anything', async () => {
    for (const name of ['a|b^^^c, "d"', 'two\nlines\n1|RUNNING']) {
      await slurm.runAsUser(['sbatch', '--hold', `--job-name=${name}`, '--wrap', 'true']);
      expect((await list()).map((job) => job.name)).toContain(name);
    }
  });

  it('refuses: partition of a group', async ({ skip }) => {
    if (!isRoot) skip('who runs Slurm may use every partition');
    expect((await submit({ queue: 'priv' })).outcome).toMatchObject({ kind: 'refused', reason: 'permanent' });
  });

  it.each([
    ['unknown partition', { queue: 'nosuch' }, { reason: 'permanent' }],
    ['unknown account', { account: 'nosuch' }, { reason: 'permanent', exitStatus: 131 }],
    ['unknown qos', { qos: 'nosuch' }, { reason: 'permanent' }],
    ['unknown feature', { constraint: 'nosuch' }, { reason: 'permanent' }],
    ['too long', { queue: 'small', resources: { walltime: 36_000 } }, { reason: 'permanent' }],
    ['too much memory', { resources: { memoryPerNode: 2 ** 45 } }, { reason: 'permanent' }],
    ['too many nodes', { resources: { nodes: 99 } }, { reason: 'permanent' }],
  ])('refuses: %s', async (_, job, expected) => {
    expect((await submit(job)).outcome).toMatchObject({ kind: 'refused', ...expected });
  });

  it('says that a limit is reached', async () => {
    const job = { qos: slurm.limitedQos, headerLines: ['#SBATCH --hold'] };
    const ids = [await accepted(job), await accepted(job)];
    expect((await submit(job)).outcome).toMatchObject({ kind: 'refused', reason: 'limit' });
    await kill(ids);
  });

  it('is no answer from a user that is not known', async () => {
    const unavailable = expect.objectContaining({ code: 'scheduler-unavailable', transient: true });
    const asked = await ask(plugin.list({ ...query(), user: 'nosuchuser', ids: [] }));
    expect(() => [...plugin.parseList(asked)]).toThrow(unavailable);
    const sought = await ask(plugin.find({ ...query(), user: 'nosuchuser', name: 'x', since: started }));
    expect(() => plugin.parseFind(sought)).toThrow(unavailable);
  });

  it('does not know what became of a submission while the controller hangs, and finds it later', async () => {
    const unavailable = expect.objectContaining({ code: 'scheduler-unavailable', transient: true });
    const name = 'wherry-88-hung';
    slurm.daemons.get('slurmctld')?.signal('SIGSTOP');
    try {
      expect((await submit({ name })).outcome.kind).toBe('unknown');
      await expect(list()).rejects.toThrow(unavailable);
      await expect(find(name)).rejects.toThrow(unavailable);
    } finally {
      slurm.daemons.get('slurmctld')?.signal('SIGCONT');
    }
    await waitUntil('the lost job', async () => (await find(name)).length === 1);
  });

  it('refuses for now while the controller or the database is down', async () => {
    const unavailable = expect.objectContaining({ code: 'scheduler-unavailable', transient: true });
    await slurm.daemons.get('slurmdbd')?.stop();
    await expect(find('wherry-77-nonce')).rejects.toThrow(unavailable);
    await expect(records(['1'])).rejects.toThrow(unavailable);
    expect((await list()).length).toBeGreaterThan(0);
    await slurm.restart('slurmdbd');
    await slurm.daemons.get('slurmctld')?.stop();
    expect((await submit({})).outcome).toMatchObject({ kind: 'refused', reason: 'transient' });
    await expect(list()).rejects.toThrow(unavailable);
    await expect(kill(['1'])).rejects.toThrow(unavailable);
  });
});
