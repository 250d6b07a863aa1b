import { setImmediate as nextTurn } from 'node:timers/promises';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GroupCommit } from '../../../src/store/group-commit.js';
import { claimLease, fenced, type Lease } from '../../../src/store/leases.js';
import { isPostgres, type Store, type StoreTransaction } from '../../../src/store/store.js';
import { type TemporaryStore, temporaryStore } from './temporary-store.js';

/** Does what is committed here survive a loss of power? */
async function isDurable(db: Store | StoreTransaction): Promise<boolean> {
  if (isPostgres(db)) {
    const { rows } = await sql<{ synchronous_commit: string }>`show synchronous_commit`.execute(db);
    return rows[0]?.synchronous_commit === 'on';
  }
  const { rows } = await sql<{ synchronous: number }>`pragma synchronous`.execute(db);
  return rows[0]?.synchronous === 2;
}

describe('works that share transactions', () => {
  let rig: TemporaryStore;
  let store: Store;
  /** The transactions that were begun: does each wait for the disk? */
  let transactions: boolean[];
  let group: GroupCommit;

  beforeEach(async () => {
    rig = await temporaryStore();
    store = rig.store;
    transactions = [];
    group = new GroupCommit(store, async (transaction) => {
      transactions.push(await isDurable(transaction));
    });
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  const put =
    (name: string, position = 1) =>
    (transaction: StoreTransaction) =>
      transaction.insertInto('cursors').values({ name, position }).execute();
  /** In the order in which they were written. */
  const names = async () => {
    const written = isPostgres(store) ? sql`ctid` : sql`rowid`;
    const rows = await store.selectFrom('cursors').select('name').orderBy(written).execute();
    return rows.map(({ name }) => name);
  };
  const repeatable = { repeatable: true };

  it('share one when they are asked for in one turn, in the order in which they were asked for', async () => {
    const wanted = ['c', 'a', 'd', 'b'];
    await Promise.all(wanted.map((name) => group.write(put(name), repeatable)));
    expect(await names()).toEqual(wanted);
    expect(transactions).toHaveLength(1);
  });

  it('share the next when they are asked for while one is in progress', async () => {
    const first = group.write(async (transaction) => {
      await put('first')(transaction);
      await nextTurn();
      await nextTurn();
    }, repeatable);
    await nextTurn();
    await nextTurn();
    const others = ['second', 'third'].map((name) => group.write(put(name), repeatable));
    await Promise.all([first, ...others]);
    expect(await names()).toEqual(['first', 'second', 'third']);
    expect(transactions).toHaveLength(2);
  });

  it('are never so many that nobody else gets a turn', async () => {
    await Promise.all(Array.from({ length: 250 }, (_, index) => group.write(put(`${index}`), repeatable)));
    expect(await names()).toEqual(Array.from({ length: 250 }, (_, index) => `${index}`));
    expect(transactions).toHaveLength(3);
  });

  it('give what each of them gave', async () => {
    const numbers = [1, 2, 3].map((number) => group.write(async () => number, repeatable));
    expect(await Promise.all(numbers)).toEqual([1, 2, 3]);
  });

  it('survive a loss of power when one of them must', async () => {
    const durable = { repeatable: false };
    await Promise.all([group.write(put('a'), repeatable), group.write(put('b'), repeatable)]);
    await Promise.all([group.write(put('c'), repeatable), group.write(put('d'), durable)]);
    await group.write(put('e'), durable);
    await group.write(put('f'), repeatable);
    expect(transactions).toEqual([false, true, true, false]);
    expect(await isDurable(store)).toBe(true);
  });

  it('are told of nothing before the commit', async () => {
    const other = await rig.again();
    const seen: number[] = [];
    const look = async () => {
      seen.push((await other.selectFrom('cursors').selectAll().execute()).length);
    };
    const slow = async () => {
      await nextTurn();
    };
    await Promise.all([group.write(put('a'), repeatable).then(look), group.write(slow, repeatable).then(look)]);
    expect(seen).toEqual([1, 1]);
  });

  it('belong to whoever asked for them', async () => {
    const { runInProcess, currentProcess } = await import('../../../src/process/process-stack.js');
    const ids = await Promise.all(
      [1, 2, 3].map((id) =>
        runInProcess({ id, uuid: `${id}`, name: 'test' }, () =>
          group.write(async () => currentProcess()?.id, repeatable),
        ),
      ),
    );
    expect(ids).toEqual([1, 2, 3]);
  });

  it('refuse to wait for themselves', async () => {
    const within = group.write(() => group.write(put('inner'), repeatable), repeatable);
    const other = group.write(put('other'), repeatable);
    await expect(within).rejects.toMatchObject({ code: 'internal' });
    await other;
    await group.write(put('later'), repeatable);
    expect(await names()).toEqual(['other', 'later']);
  });

  it('are undone alone when they fail, whatever else is in the group (property)', async () => {
    const work = fc.record({
      writes: fc.integer({ min: 0, max: 3 }),
      end: fc.constantFrom('good', 'good', 'throws', 'breaks a constraint'),
      repeatable: fc.boolean(),
      /** Turns of the event loop before it is asked for, and within it. */
      before: fc.integer({ min: 0, max: 3 }),
      within: fc.integer({ min: 0, max: 2 }),
    });
    let run = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(work, { minLength: 1, maxLength: 12 }), async (works) => {
        const label = `${run++}`;
        const outcomes = await Promise.allSettled(
          works.map(async (plan, index) => {
            for (let turn = 0; turn < plan.before; turn++) await nextTurn();
            return group.write(async (transaction) => {
              for (let row = 0; row < plan.writes; row++) await put(`${label} ${index} ${row}`)(transaction);
              for (let turn = 0; turn < plan.within; turn++) await nextTurn();
              if (plan.end === 'throws') throw new Error(`no ${index}`);
              if (plan.end === 'breaks a constraint') await put(`${label} ${index} 0`, 2)(transaction);
              if (plan.end === 'breaks a constraint') await put(`${label} ${index} 0`, 3)(transaction);
              return index;
            }, plan);
          }),
        );
        const expected = works.map(({ end }, index) =>
          end === 'good' ? { status: 'fulfilled', value: index } : expect.objectContaining({ status: 'rejected' }),
        );
        expect(outcomes).toEqual(expected);
        for (const [index, { end }] of works.entries()) {
          if (end === 'throws') expect(outcomes[index]).toMatchObject({ reason: { message: `no ${index}` } });
        }
        const kept = works.flatMap(({ end, writes }, index) =>
          end === 'good' ? Array.from({ length: writes }, (_, row) => `${label} ${index} ${row}`) : [],
        );
        const rows = await store.selectFrom('cursors').select('name').where('name', 'like', `${label} %`).execute();
        expect(rows.map(({ name }) => name).sort()).toEqual(kept.sort());
      }),
      { numRuns: 60 },
    );
  });

  it('all fail, and nothing of them is there, when the transaction cannot begin', async () => {
    let isBroken = true;
    const fragile = new GroupCommit(store, async () => {
      if (isBroken) throw new Error('not now');
    });
    const all = await Promise.allSettled(['a', 'b', 'c'].map((name) => fragile.write(put(name), repeatable)));
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await names()).toEqual([]);
    isBroken = false;
    await fragile.write(put('d'), repeatable);
    expect(await names()).toEqual(['d']);
  });

  it('all fail when the store is closed in the middle', async () => {
    const own = await rig.again();
    const doomed = new GroupCommit(own, async () => undefined);
    const all = ['a', 'b'].map((name) =>
      doomed.write(async (transaction) => {
        await put(name)(transaction);
        if (name === 'a') await own.destroy();
      }, repeatable),
    );
    const outcomes = await Promise.allSettled([...all, doomed.write(put('c'), repeatable)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(await names()).toEqual([]);
  });

  describe('under a lease', () => {
    let lease: Lease;
    beforeEach(async () => {
      const claimed = await claimLease(store, 'computer:1', 'a', 0, 100);
      if (claimed === undefined) throw new Error('no lease');
      lease = claimed;
    });

    it('all fail once it is lost, and none of those before it', async () => {
      const before = ['a', 'b'].map((name) => fenced(store, lease, put(name)));
      await Promise.all(before);
      const other = await rig.again();
      expect(await claimLease(other, 'computer:1', 'b', 200, 100)).toMatchObject({ owner: 'b' });
      const after = await Promise.allSettled(['c', 'd'].map((name) => fenced(store, lease, put(name))));
      for (const outcome of after) expect(outcome).toMatchObject({ reason: { code: 'lease-lost' } });
      expect(await names()).toEqual(['a', 'b']);
    });

    it('that is lost while a group is in progress is taken over only after that group', async () => {
      const other = await rig.again();
      let taken: Promise<unknown> | undefined;
      const first = fenced(store, lease, async (transaction) => {
        taken = claimLease(other, 'computer:1', 'b', 200, 100);
        await nextTurn();
        await put('a')(transaction);
      });
      const second = fenced(store, lease, put('b'));
      await Promise.all([first, second]);
      expect(await taken).toMatchObject({ owner: 'b', epoch: 2 });
      await expect(fenced(store, lease, put('c'))).rejects.toMatchObject({ code: 'lease-lost' });
      expect(await names()).toEqual(['a', 'b']);
    });

    it('wait for nobody else: those of another lease are in a transaction of their own', async () => {
      const another = await claimLease(store, 'computer:2', 'a', 0, 100);
      await claimLease(await rig.again(), 'computer:2', 'b', 200, 100);
      const [mine, lost] = await Promise.allSettled([fenced(store, lease, put('a')), fenced(store, another, put('b'))]);
      expect(mine).toMatchObject({ status: 'fulfilled' });
      expect(lost).toMatchObject({ reason: { code: 'lease-lost' } });
      expect(await names()).toEqual(['a']);
    });
  });
});
