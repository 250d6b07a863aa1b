import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { obstacles } from '../../../src/cli/follow.js';
import { type Explanation, explain } from '../../../src/engine/explain.js';
import { computerNames, summaryOf } from '../../../src/engine/views.js';
import { claimLease } from '../../../src/store/leases.js';
import type { ComputerRow, ProcessChanges, ProcessRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
let computer: ComputerRow;
let row: ProcessRow;
/** The moment of the tests. */
const now = Date.parse('2026-11-21T12:00:00Z');
const iso = (seconds: number) => new Date(now + seconds * 1000).toISOString();

beforeEach(async () => {
  test = await startProfile();
  computer = await test.addComputer({
    ...{ label: 'daint', transport: 'local', scheduler: 'direct', workDirectory: '/scratch/wherry' },
    limits: { maxQueued: 1 },
  });
  row = await test.submit(computer, { command: ['true'] });
});
afterEach(() => test[Symbol.asyncDispose]());

/** Explains the process after its row was changed. */
async function explained(changes: ProcessChanges): Promise<Explanation> {
  const { store } = test.profile;
  await store
    .updateTable('processes')
    .set({ updated_at: now, ...changes })
    .where('id', '=', row.id)
    .execute();
  return explain(store, await test.row(row.id), now);
}

async function changeComputer(changes: Partial<ComputerRow>) {
  await test.profile.store.updateTable('computers').set(changes).where('id', '=', computer.id).execute();
}

const hold = JSON.stringify({
  code: 'authentication-refused',
  message: 'the key was refused',
  hint: 'add the key',
  since: now - 60_000,
});

describe('explain', () => {
  it('says that nothing drives it, or who does', async () => {
    const free = await explained({ due_at: now });
    expect(free).toMatchObject({
      waitingFor: 'its turn to upload',
      next: 'its files are sent',
      nextAt: iso(0),
      driver: null,
    });
    expect(free.details).toEqual(['nothing drives daint now: run `wherry daemon start`, or `wherry tick` by cron']);
    await claimLease(test.profile.store, `computer:${computer.id}`, 'somebody', now, 30_000);
    expect(await explained({})).toMatchObject({ driver: { pid: process.pid }, details: [] });
  });

  it('of a paused process names the reason and the way on', async () => {
    const { waitingFor, since, next, nextAt, details } = await explained({
      paused: 1,
      paused_reason: 'disk full',
      paused_at: now - 1000,
    });
    expect({ waitingFor, since, next, nextAt }).toEqual({
      waitingFor: 'somebody to let it go on: it is paused',
      since: iso(-1),
      next: `nothing by itself: run \`wherry play ${row.id}\``,
      nextAt: null,
    });
    expect(details).toContain('paused because: disk full');
  });

  it('of a held computer tells what to mend', async () => {
    await changeComputer({ hold });
    expect(await explained({})).toMatchObject({
      waitingFor: 'daint, which is held: the key was refused',
      since: iso(-60),
      next: 'nothing by itself: add the key; then run `wherry computer test daint`',
      nextAt: null,
    });
  });

  it('of an unreachable computer tells when the next try comes', async () => {
    await changeComputer({ open_after: now + 40_000, open_failures: 3 });
    expect(await explained({})).toMatchObject({
      waitingFor: 'daint, which could not be reached (3 times in a row)',
      nextAt: iso(40),
    });
    await changeComputer({ open_after: now - 1 });
    expect(await explained({})).toMatchObject({ waitingFor: 'its turn to upload' });
  });

  it('counts attempts', async () => {
    const last_error = JSON.stringify({ code: 'disk-full', message: 'no space', hint: 'make space', at: now });
    const found = await explained({ attempts: 2, last_error, due_at: now + 20_000 });
    expect(found).toMatchObject({
      waitingFor: 'the next try of upload: no space',
      next: 'try 3 of 5',
      nextAt: iso(20),
    });
    expect(found.details).toEqual(expect.arrayContaining(['upload failed 2 times: no space', 'make space']));
  });

  it('names the limit and how many come before', async () => {
    const { store } = test.profile;
    const [running, first] = [
      await test.submit(computer, { command: ['x'] }),
      await test.submit(computer, { command: ['x'], priority: 1 }),
    ];
    await store.updateTable('processes').set({ stage: 'update', job_id: '1' }).where('id', '=', running.id).execute();
    await store.updateTable('processes').set({ stage: 'submit' }).where('id', '=', first.id).execute();
    expect(await explained({ stage: 'submit' })).toMatchObject({
      waitingFor: 'the limit of 1 jobs in the queue (maxQueued)',
      next: 'it is submitted when there is room again',
      details: expect.arrayContaining(['one other comes before it']),
    });
  });

  it('repeats what the scheduler says', async () => {
    await changeComputer({ poll_at: now + 3_000 });
    const found = await explained({
      ...{ state: 'waiting', stage: 'update', job_id: '77', scheduler_state: 'queued', scheduler_reason: 'Priority' },
      ...{ waiting_for: 'the scheduler: queued (Priority)', waiting_since: now - 5_000, due_at: now - 5_000 },
    });
    expect(found).toMatchObject({ waitingFor: 'the scheduler: queued (Priority)', since: iso(-5), nextAt: iso(3) });
    expect(found.details).toContain('job 77 is queued: Priority');
  });

  it('of a job that the queue holds says who can let it begin', async () => {
    const held = {
      scheduler_state: 'held',
      scheduler_reason: 'JobHeldUser',
      waiting_for: 'the scheduler: held (JobHeldUser)',
    };
    const queued = { state: 'waiting', stage: 'update', job_id: '17', due_at: null };
    expect(await explained({ ...queued, ...held })).toMatchObject({
      waitingFor: 'the scheduler: held (JobHeldUser)',
      next: 'somebody releases job 17 on daint; until then it is listed like the others',
    });
  });

  it('of an ended process says how it ended', async () => {
    expect(
      await explained({
        state: 'finished',
        stage: null,
        exit_status: 3,
        exit_message: 'bad',
        ended_at: now,
        due_at: null,
      }),
    ).toEqual({
      ...{ id: row.id, state: 'finished', stage: null, waitingFor: null, since: iso(0), nextAt: null, driver: null },
      next: 'nothing: it is finished with exit status 3',
      details: ['bad'],
    });
  });

  it('tells that a kill was asked for', async () => {
    expect(await explained({ kill_requested_at: now - 1000, kill_reason: 'enough', due_at: now })).toMatchObject({
      waitingFor: 'a driver that kills it',
      since: iso(-1),
      next: 'it ends as killed',
      details: expect.arrayContaining(['to be killed: enough']),
    });
  });
});

describe('obstacles', () => {
  const found = async () => {
    const { store } = test.profile;
    return obstacles(store, [summaryOf(await test.row(row.id), await computerNames(store))]);
  };

  it('are what only a person can take away', async () => {
    expect(await found()).toEqual([]);
    await explained({ paused: 1, paused_reason: 'x' });
    expect(await found()).toMatchObject([{ id: row.id, hint: expect.stringContaining(`wherry play ${row.id}`) }]);
    await explained({ stage: 'update' });
    expect(await found()).toEqual([]);
    await explained({ paused: 0 });
    await changeComputer({ hold });
    expect(await found()).toMatchObject([{ hint: 'add the key; then run: wherry computer test daint' }]);
    await explained({ stage: null, state: 'finished', ended_at: now });
    expect(await found()).toEqual([]);
  });
});

describe('a line of ps', () => {
  const waitingFor = async (changes: ProcessChanges = {}) => {
    await explained(changes);
    return summaryOf(await test.row(row.id), await computerNames(test.profile.store, now)).waitingFor;
  };

  it('names what holds the computer back for all its processes, the most lasting first', async () => {
    expect(await waitingFor({ stage: 'submit' })).toBeNull();
    await changeComputer({ throttle: JSON.stringify({ reason: 'the limit of 1', since: now }) });
    expect(await waitingFor()).toBe('the limit of 1');
    expect(await waitingFor({ stage: 'update' })).toBeNull();
    await changeComputer({ draining_since: now });
    expect(await waitingFor()).toBeNull();
    expect(await waitingFor({ stage: 'upload' })).toBe('daint is being drained');
    await changeComputer({ open_after: now + 1 });
    expect(await waitingFor()).toBe('daint, which could not be reached');
    await changeComputer({ hold });
    expect(await waitingFor()).toBe('daint is held: the key was refused');
    expect(await waitingFor({ stage: 'parse' })).toBeNull();
    expect(await waitingFor({ stage: 'upload', paused: 1, paused_reason: 'by me' })).toBe('play: by me');
  });
});
