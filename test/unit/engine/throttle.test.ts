import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadedComputer } from '../../../src/engine/loaded-computer.js';
import { allowance } from '../../../src/engine/throttle.js';
import { insertProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';
import { FakeTransport, loadedComputer } from './fake-computer.js';

const now = 1_000_000;

describe('how many jobs may be submitted now', () => {
  let rig: TemporaryStore;
  let computer: LoadedComputer;
  beforeEach(async () => {
    rig = await temporaryStore();
    computer = await loadedComputer(rig.store, new FakeTransport());
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  const allowed = (limits: Partial<LoadedComputer['limits']>) =>
    allowance(rig.store, { ...computer, limits: { ...computer.limits, ...limits } }, now);

  /** A process at a stage, with a submission. */
  async function job(stage: string | null, outcome?: string, intendedAt = 0, computerId = computer.row.id) {
    const row = await insertProcess(rig.store, { state: 'waiting', stage, computer_id: computerId });
    if (outcome !== undefined)
      await rig.store
        .insertInto('submissions')
        .values({ process_id: row.id, attempt: 1, job_name: `j${row.id}`, intended_at: intendedAt, outcome })
        .execute();
  }

  it('is not limited where no limit is set', async () => {
    await job('update', 'accepted', now);
    expect(await allowed({})).toEqual({ count: Number.POSITIVE_INFINITY });
  });

  it('counts what stands in the queue and what may stand there, and nothing else', async () => {
    await job('update', 'accepted');
    await job('submit', 'intended');
    await job('submit', 'refused');
    await job('submit', 'absent');
    await job('submit');
    await job('retrieve', 'accepted');
    await job(null, 'accepted');
    expect(await allowed({ maxQueued: 5 })).toEqual({ count: 3, reason: expect.stringContaining('maxQueued') });
  });

  it('is none, and not less, when the limit was lowered below what stands', async () => {
    for (let index = 0; index < 4; index++) await job('update', 'accepted');
    expect(await allowed({ maxQueued: 2 })).toEqual({
      count: 0,
      reason: 'the limit of 2 jobs in the queue (maxQueued)',
    });
  });

  it('counts the submissions of the last minute, whatever became of them', async () => {
    await job('submit', 'refused', now);
    await job('retrieve', 'accepted', now - 59_999);
    await job('retrieve', 'accepted', now - 60_000);
    expect(await allowed({ submitPerMinute: 5 })).toMatchObject({ count: 3 });
    expect(await allowed({ submitPerMinute: 1 })).toMatchObject({
      count: 0,
      reason: expect.stringContaining('submitPerMinute'),
    });
  });

  it('lets through at least one per minute where less is asked for', async () => {
    expect(await allowed({ submitPerMinute: 0.5 })).toMatchObject({ count: 1 });
  });

  it('is the tighter of two limits, with its reason', async () => {
    await job('update', 'accepted', now);
    expect(await allowed({ maxQueued: 3, submitPerMinute: 9 })).toMatchObject({
      count: 2,
      reason: expect.stringContaining('maxQueued'),
    });
    expect(await allowed({ maxQueued: 9, submitPerMinute: 3 })).toMatchObject({
      count: 2,
      reason: expect.stringContaining('submitPerMinute'),
    });
  });

  it('leaves out the jobs of other computers', async () => {
    const { id: _id, ...copy } = computer.row;
    const other = await rig.store
      .insertInto('computers')
      .values({ ...copy, uuid: 'other', label: 'other' })
      .returning('id')
      .executeTakeFirstOrThrow();
    await job('update', 'accepted', now, other.id);
    expect(await allowed({ maxQueued: 1, submitPerMinute: 1 })).toMatchObject({ count: 1 });
  });
});
