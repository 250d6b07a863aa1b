import fastCheck from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { standardExit } from '../../../src/process/exit-codes.js';
import { isTerminal, mayGo, type ProcessState, processStates, transitions } from '../../../src/process/states.js';
import { amend, carryOut, stateOf, type Transition } from '../../../src/process/transition.js';
import { eventsOf } from '../../../src/store/events.js';
import { claimLease, type Lease } from '../../../src/store/leases.js';
import type { Store } from '../../../src/store/store.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';
import { insertProcess, storedProcess } from './stored-process.js';

const pairs = processStates.flatMap((from) => processStates.map((to) => ({ from, to })));

describe('every transition', () => {
  let rig: TemporaryStore;
  beforeAll(async () => {
    rig = await temporaryStore();
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  it.each(pairs)('from $from to $to is allowed exactly when the table has it', async ({ from, to }) => {
    const { store } = rig;
    const row = await insertProcess(store, { state: from });
    const attempt = carryOut(store, row, { to }, { now: 9 });
    if ((transitions[from] as readonly string[]).includes(to)) {
      expect(await attempt).toMatchObject({ state: to, updated_at: 9 });
    } else {
      await expect(attempt).rejects.toMatchObject({ code: 'transition-refused', transient: false });
      expect(await storedProcess(store, row.id)).toEqual(row);
      expect(await eventsOf(store, row.id)).toEqual([]);
    }
  });

  it('is taken by a process in any sequence as by the table, and none changes one that has ended', async () => {
    const { store } = rig;
    const arrivals = fastCheck.array(
      fastCheck.oneof(
        fastCheck.record({ kind: fastCheck.constant('go' as const), to: fastCheck.constantFrom(...processStates) }),
        fastCheck.record({ kind: fastCheck.constant('late' as const), to: fastCheck.constantFrom(...processStates) }),
        fastCheck.record({ kind: fastCheck.constant('amend' as const) }),
      ),
      { maxLength: 12 },
    );
    await fastCheck.assert(
      fastCheck.asyncProperty(arrivals, async (sequence) => {
        const first = await insertProcess(store, { stage: null });
        let expected: ProcessState = 'created';
        for (const [index, arrival] of sequence.entries()) {
          const before = await storedProcess(store, first.id);
          const ended = isTerminal(expected);
          if (arrival.kind === 'amend') {
            const changed = await amend(store, first.id, { kill_reason: `${index}` }, { now: index });
            expect(changed).toBe(!ended);
          } else {
            // A late arrival knows the process only as it was in the beginning.
            const row = arrival.kind === 'late' ? first : before;
            const allowed = mayGo(stateOf(row), arrival.to) && row.state === expected;
            const done = await carryOut(store, row, { to: arrival.to }, { now: index }).then(
              () => true,
              () => false,
            );
            expect(done).toBe(allowed);
            if (allowed) expected = arrival.to;
          }
          const after = await storedProcess(store, first.id);
          expect(after.state).toBe(expected);
          if (ended) expect(after).toEqual(before);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('carrying out a transition', () => {
  let rig: TemporaryStore;
  let store: Store;
  beforeEach(async () => {
    rig = await temporaryStore();
    store = rig.store;
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  const waiting = { state: 'waiting', stage: 'update', waiting_for: 'the scheduler', waiting_since: 3, attempts: 2 };

  it('writes state, stage, outputs, exit and events together', async () => {
    const row = await insertProcess(store, { ...waiting, paused: 1, paused_reason: 'r', paused_at: 2 });
    const transition: Transition = {
      to: 'finished',
      stage: 'ignored at the end',
      exit: standardExit('OUT_OF_MEMORY', 'node 7'),
      outputs: { exitCode: 9 },
      events: [{ type: 'process.report', data: { level: 'info', message: 'm' } }],
    };
    expect(await carryOut(store, row, transition, { now: 50 })).toMatchObject({
      state: 'finished',
      stage: null,
      due_at: null,
      ended_at: 50,
      paused: 0,
      paused_reason: null,
      waiting_for: null,
      exit_status: 110,
      exit_label: 'OUT_OF_MEMORY',
      exit_message: expect.stringContaining('node 7'),
      outputs: '{"exitCode":9}',
    });
    expect((await eventsOf(store, row.id)).map(({ type, at, data }) => [type, at, JSON.parse(data)])).toEqual([
      ['process.report', 50, { level: 'info', message: 'm' }],
      ['process.state', 50, { from: 'waiting', to: 'finished', exitStatus: 110 }],
    ]);
  });

  it('keeps why a process is excepted', async () => {
    const row = await insertProcess(store, waiting);
    const exception = { code: 'internal', message: 'm', hint: 'h', stack: 's' };
    const after = await carryOut(store, row, { to: 'excepted', exception }, { now: 5 });
    expect(JSON.parse(after.exception ?? '')).toEqual(exception);
  });

  it('begins a new stage with a full count of attempts, due at once', async () => {
    const row = await insertProcess(store, { ...waiting, last_error: '{}' });
    const after = await carryOut(store, row, { to: 'waiting', stage: 'retrieve' }, { now: 70 });
    expect(after).toMatchObject({ stage: 'retrieve', stage_since: 70, attempts: 0, last_error: null, due_at: 70 });
    expect((await eventsOf(store, row.id)).map(({ type, data }) => [type, JSON.parse(data)])).toEqual([
      ['process.stage', { from: 'update', to: 'retrieve' }],
    ]);
  });

  it('keeps stage, its time and the failures when the stage stays', async () => {
    const row = await insertProcess(store, waiting);
    const after = await carryOut(store, row, { to: 'waiting', stage: 'update', dueAt: 99 }, { now: 70 });
    expect(after).toMatchObject({ stage: 'update', stage_since: 1, attempts: 2, due_at: 99 });
    expect(await eventsOf(store, row.id)).toEqual([]);
  });

  it.each(['also', 'events'] as const)('leaves nothing behind when a part of it fails: %s', async (part) => {
    const row = await insertProcess(store, waiting);
    const file = { process_id: row.id, role: 'outputs', path: 'a', sha256: 'b', size: 1, mode: 0o644 };
    const failing: Transition = {
      to: 'finished',
      outputs: { a: 1 },
      events: [{ type: 'process.report', data: { level: 'info', message: 'm' } }],
      also: async (transaction) => {
        await transaction.insertInto('files').values(file).execute();
        if (part === 'also') throw new Error('disk full');
      },
    };
    // An event that cannot be written is as good as any other failure.
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const unwritable = { type: 'process.report', data: { level: 'info', message: circular as unknown as string } };
    const transition =
      part === 'also' ? failing : { ...failing, events: [unwritable] as Transition['events'] & object };
    await expect(carryOut(store, row, transition, { now: 5 })).rejects.toThrow();
    expect(await storedProcess(store, row.id)).toEqual(row);
    expect(await eventsOf(store, row.id)).toEqual([]);
    expect(await store.selectFrom('files').selectAll().execute()).toEqual([]);
  });

  it.each([
    { moved: { state: 'running' }, what: 'state' },
    { moved: { stage: 'retrieve' }, what: 'stage' },
    { moved: { stage: null }, what: 'stage to none' },
  ])('is refused when the process has moved meanwhile: its $what', async ({ moved }) => {
    const row = await insertProcess(store, waiting);
    await store.updateTable('processes').set(moved).where('id', '=', row.id).execute();
    const before = await storedProcess(store, row.id);
    await expect(carryOut(store, row, { to: 'finished' }, { now: 5 })).rejects.toMatchObject({
      code: 'transition-refused',
      message: expect.stringContaining('was waiting update and is now'),
    });
    expect(await storedProcess(store, row.id)).toEqual(before);
    expect(await eventsOf(store, row.id)).toEqual([]);
  });

  it('is refused for a process without a stage that has got one', async () => {
    const row = await insertProcess(store, { state: 'running', stage: null });
    await store.updateTable('processes').set({ stage: 'submit' }).execute();
    await expect(carryOut(store, row, { to: 'finished' }, { now: 5 })).rejects.toMatchObject({
      code: 'transition-refused',
    });
  });

  it('is refused for a process that is gone', async () => {
    const row = await insertProcess(store, waiting);
    await store.deleteFrom('processes').execute();
    await expect(carryOut(store, row, { to: 'finished' }, { now: 5 })).rejects.toThrow('is now gone');
  });

  it('happens once when two drivers carry out the same', async () => {
    const row = await insertProcess(store, waiting);
    const two = await rig.again();
    const results = await Promise.allSettled(
      [store, two, store, two].map((each) => carryOut(each, row, { to: 'finished' }, { now: 5 })),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    expect((await eventsOf(store, row.id)).map(({ type }) => type)).toEqual(['process.state']);
  });

  it('does not change what was asked for meanwhile: an intent to kill and a pause stay', async () => {
    const row = await insertProcess(store, waiting);
    await amend(store, row.id, { kill_requested_at: 4, kill_reason: 'k', paused: 1, paused_reason: 'p' }, { now: 4 });
    expect(await carryOut(store, row, { to: 'waiting', stage: 'retrieve' }, { now: 5 })).toMatchObject({
      kill_requested_at: 4,
      kill_reason: 'k',
      paused: 1,
      paused_reason: 'p',
    });
  });

  it('never trusts a state that is no word of ours', async () => {
    const row = await insertProcess(store, { state: 'toString' });
    await expect(carryOut(store, row, { to: 'running' }, { now: 5 })).rejects.toMatchObject({ code: 'internal' });
  });
});

describe('fencing', () => {
  let rig: TemporaryStore;
  let store: Store;
  beforeEach(async () => {
    rig = await temporaryStore();
    store = rig.store;
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  async function claimed(owner: string, now: number): Promise<Lease> {
    const lease = await claimLease(store, 'computer:1', owner, now, 100);
    if (lease === undefined) throw new Error('not claimed');
    return lease;
  }

  it('keeps a driver that lost its lease from writing anything', async () => {
    const row = await insertProcess(store, { state: 'waiting', stage: 'update' });
    const old = await claimed('a', 0);
    const taken = await claimed('b', 200);
    let called = false;
    const transition: Transition = {
      to: 'finished',
      also: async () => {
        called = true;
      },
    };
    await expect(carryOut(store, row, transition, { now: 201, lease: old })).rejects.toMatchObject({
      code: 'lease-lost',
    });
    await expect(
      amend(store, row.id, { attempts: 9 }, { now: 201, lease: old, events: [{ type: 'process.played', data: {} }] }),
    ).rejects.toMatchObject({ code: 'lease-lost' });
    expect(called).toBe(false);
    expect(await storedProcess(store, row.id)).toEqual(row);
    expect(await eventsOf(store, row.id)).toEqual([]);
    expect(await carryOut(store, row, transition, { now: 202, lease: taken })).toMatchObject({ state: 'finished' });
  });

  it('makes one who takes over wait for the end of a transaction, and then see what it wrote', async () => {
    const row = await insertProcess(store, { state: 'waiting', stage: 'update' });
    const two = await rig.again();
    const old = await claimed('a', 0);
    let takeOver: Promise<Lease | undefined> = Promise.resolve(undefined);
    let over = false;
    const transition: Transition = {
      to: 'waiting',
      stage: 'retrieve',
      also: async () => {
        takeOver = claimLease(two, 'computer:1', 'b', 500, 100).finally(() => {
          over = true;
        });
        await new Promise((resolve) => setTimeout(resolve, 40));
        expect(over).toBe(false);
      },
    };
    await carryOut(store, row, transition, { now: 5, lease: old });
    expect(await takeOver).toMatchObject({ owner: 'b', epoch: 2 });
    expect(await storedProcess(two, row.id)).toMatchObject({ stage: 'retrieve' });
  });
});

describe('amending', () => {
  let rig: TemporaryStore;
  let store: Store;
  beforeEach(async () => {
    rig = await temporaryStore();
    store = rig.store;
  });
  afterEach(() => rig[Symbol.asyncDispose]());
  const events = [{ type: 'process.paused', data: { reason: 'r' } }] as const;

  it.each(processStates)('a %s process changes it and tells only when it has not ended', async (state) => {
    const row = await insertProcess(store, { state });
    const changed = await amend(store, row.id, { paused: 1 }, { now: 8, events });
    expect(changed).toBe(!isTerminal(state));
    expect(await storedProcess(store, row.id)).toEqual(changed ? { ...row, paused: 1, updated_at: 8 } : row);
    expect(await eventsOf(store, row.id)).toHaveLength(changed ? 1 : 0);
  });

  it('a process that does not exist does nothing', async () => {
    expect(await amend(store, 77, { paused: 1 }, { now: 8, events })).toBe(false);
    expect(await eventsOf(store, 77)).toEqual([]);
  });
});
