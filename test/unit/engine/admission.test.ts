import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { admit, refuseEntry } from '../../../src/engine/admission.js';
import type { LoadedComputer } from '../../../src/engine/loaded-computer.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { insertProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';
import { FakeTransport, loadedComputer } from './fake-computer.js';

const now = 1_000_000;

describe('who is submitted next', () => {
  let rig: TemporaryStore;
  let computer: LoadedComputer;
  beforeEach(async () => {
    rig = await temporaryStore();
    computer = await loadedComputer(rig.store, new FakeTransport());
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  const waiting = (differing: Partial<ProcessRow> = {}) =>
    insertProcess(rig.store, { state: 'waiting', stage: 'submit', computer_id: computer.row.id, ...differing });
  async function takes(row: ProcessRow, pool: string, amount: number): Promise<ProcessRow> {
    await rig.store.insertInto('process_pools').values({ process_id: row.id, pool, amount }).execute();
    return row;
  }
  /** Sets the pools of this computer, or of another one. */
  async function pools(sizes: Record<string, number>, id = computer.row.id): Promise<void> {
    const config = { ...computer.config, limits: { ...computer.config.limits, pools: sizes } };
    await rig.store
      .updateTable('computers')
      .set({ config: JSON.stringify(config) })
      .where('id', '=', id)
      .execute();
    if (id === computer.row.id) computer = { ...computer, config };
  }
  async function otherComputer(): Promise<number> {
    const { id: _id, ...copy } = computer.row;
    const other = { ...copy, uuid: 'other', label: 'other' };
    return (await rig.store.insertInto('computers').values(other).returning('id').executeTakeFirstOrThrow()).id;
  }
  const admitted = async (places = 100, submitting = 0, busy: number[] = []) => {
    const { rows, ...rest } = await admit(rig.store, computer, now, places, submitting, new Set(busy));
    return { ids: rows.map(({ id }) => id), ...rest };
  };

  it('is nobody, without a reason, where nobody waits', async () => {
    await waiting({ paused: 1 });
    await waiting({ due_at: now + 1 });
    await waiting({ kill_requested_at: 1 });
    computer = { ...computer, limits: { ...computer.limits, maxQueued: 0 } };
    expect(await admitted()).toEqual({ ids: [] });
  });

  it('goes by priority, then by turn, then by age', async () => {
    const [late, early, urgent, again] = [
      await waiting({ turn: 2 }),
      await waiting({ turn: 1 }),
      await waiting({ turn: 9, priority: 1 }),
      await waiting({ turn: 2 }),
    ];
    expect(await admitted()).toEqual({ ids: [urgent.id, early.id, late.id, again.id] });
    expect(await admitted(2, 0, [urgent.id])).toEqual({ ids: [early.id, late.id] });
  });

  it('is as many as the limits allow beside those on their way, and the reason keeps the rest', async () => {
    computer = { ...computer, limits: { ...computer.limits, maxQueued: 3 } };
    const rows = [await waiting(), await waiting(), await waiting()];
    expect(await admitted(9, 1)).toMatchObject({
      ids: [rows[0]?.id, rows[1]?.id],
      reason: expect.stringMatching('maxQueued'),
    });
    expect(await admitted(9, 3)).toMatchObject({ ids: [], reason: expect.stringMatching('maxQueued') });
  });

  it('takes one of each pool for a job, or what the job says', async () => {
    await pools({ licence: 4 });
    const rows = [await waiting(), await takes(await waiting(), 'licence', 2), await waiting(), await waiting()];
    expect(await admitted()).toEqual({
      ids: rows.slice(0, 3).map(({ id }) => id),
      reason: 'the pool "licence": 1 of 4 needed, 0 free',
    });
  });

  it('lets those pass that take nothing of a pool that is used up', async () => {
    await pools({ licence: 1 });
    await waiting({ stage: 'update', job_id: '1' });
    await waiting();
    const free = await takes(await waiting(), 'licence', 0);
    expect(await admitted()).toMatchObject({ ids: [free.id] });
  });

  it('keeps the rest of a pool for the one whose turn it is', async () => {
    await pools({ licence: 4 });
    await waiting({ stage: 'update', job_id: '1' });
    await takes(await waiting(), 'licence', 4);
    await waiting();
    const free = await takes(await waiting(), 'licence', 0);
    expect(await admitted()).toEqual({ ids: [free.id], reason: 'the pool "licence": 4 of 4 needed, 3 free' });
  });

  it('counts a pool over all computers that name it, submissions that are not known included', async () => {
    await pools({ licence: 3 });
    const other = await otherComputer();
    await pools({ licence: 3, other: 1 }, other);
    await waiting({ computer_id: other, stage: 'update', job_id: '1' });
    const unknown = await waiting({ computer_id: other });
    await rig.store
      .insertInto('submissions')
      .values({ process_id: unknown.id, attempt: 1, job_name: 'j', intended_at: 1, outcome: 'intended' })
      .execute();
    const rows = [await waiting(), await waiting()];
    expect(await admitted()).toMatchObject({ ids: [rows[0]?.id] });
    await pools({ licence: 2 }, other);
    expect(await admitted(), 'the smallest size counts').toMatchObject({ ids: [] });
  });

  it('is looked at once more where another driver may have taken the rest', async () => {
    await pools({ licence: 1 });
    const row = await waiting();
    expect(await admitted()).toEqual({ ids: [row.id] });
    const asked = () => rig.store.transaction().execute((transaction) => refuseEntry(transaction, computer, row));
    expect(await asked()).toBeUndefined();
    const other = await otherComputer();
    await pools({ licence: 1 }, other);
    await waiting({ computer_id: other, stage: 'update', job_id: '1' });
    expect(await asked()).toBe('the pool "licence": 1 of 1 needed, 0 free');
  });
});
