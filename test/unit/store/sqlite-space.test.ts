import { sql } from 'kysely';
import { describe, expect, it } from 'vitest';
import { GroupCommit } from '../../../src/store/group-commit.js';
import type { Store, StoreTransaction } from '../../../src/store/store.js';
import { temporaryStore } from './temporary-store.js';

describe('a database without space', () => {
  it('is a passing failure of this machine, and works again once there is space', async () => {
    await using rig = await temporaryStore();
    const { store } = rig;
    const grow = (db: Store | StoreTransaction = store) =>
      db
        .insertInto('cursors')
        .values({ name: 'x'.repeat(100_000), position: 1 })
        .execute();
    await sql`pragma max_page_count = 40`.execute(store);
    await expect(grow()).rejects.toMatchObject({ code: 'store-failed', transient: true });
    await expect(store.transaction().execute(grow)).rejects.toMatchObject({ code: 'store-failed', transient: true });
    await sql`pragma max_page_count = 100000`.execute(store);
    await grow();
  });

  it('fails works that share transactions together, and they go on once there is space', async () => {
    await using rig = await temporaryStore();
    const { store } = rig;
    const group = new GroupCommit(store, async () => undefined);
    const put = (name: string) => (transaction: StoreTransaction) =>
      transaction.insertInto('cursors').values({ name, position: 1 }).execute();
    const names = async () => (await store.selectFrom('cursors').select('name').execute()).map(({ name }) => name);
    const repeatable = { repeatable: true };
    await sql`pragma max_page_count = 60`.execute(store);
    const large = put('x'.repeat(300_000));
    const all = await Promise.allSettled([put('a'), large, put('b')].map((work) => group.write(work, repeatable)));
    expect(all[1]).toMatchObject({ reason: { code: 'store-failed', transient: true } });
    const kept = ['a', 'b'].filter((_, index) => all[2 * index]?.status === 'fulfilled');
    expect(await names()).toEqual(kept);
    await sql`pragma max_page_count = 100000`.execute(store);
    await Promise.all([group.write(large, repeatable), group.write(put('c'), repeatable)]);
    expect(await names()).toHaveLength(kept.length + 2);
  });
});
