import type { RootOperationNode } from 'kysely';
import { describe, expect, it } from 'vitest';
import { Prepared } from '../../../src/store/prepared.js';
import { temporaryStore } from './temporary-store.js';

const put = new Prepared<{ name: string; position: number }>((db, value) =>
  db.insertInto('cursors').values({ name: value('name'), position: value('position') }),
);
const between = new Prepared<{ low: number; high: number }, { name: string }>((db, value) =>
  db
    .selectFrom('cursors')
    .select('name')
    .where('position', '>=', value('low'))
    .where('position', '<', value('high'))
    .where('name', '!=', 'never')
    .orderBy('name'),
);

describe('a prepared query', () => {
  it('is filled with other values each time, in transactions and outside, of any store', async () => {
    await using one = await temporaryStore();
    await using two = await temporaryStore();
    for (const { store } of [one, two]) {
      await put.run(store, { name: 'a', position: 1 });
      await store.transaction().execute((transaction) => put.run(transaction, { name: 'b', position: 2 }));
      await put.run(store, { position: 3, name: "c'" });
      expect((await between.run(store, { low: 1, high: 3 })).rows).toEqual([{ name: 'a' }, { name: 'b' }]);
      expect((await between.run(store, { high: 9, low: 3 })).rows).toEqual([{ name: "c'" }]);
    }
  });

  it('tells how many rows it changed', async () => {
    await using rig = await temporaryStore();
    const move = new Prepared<{ position: number }>((db, value) =>
      db.updateTable('cursors').set({ position: value('position') }),
    );
    expect((await move.run(rig.store, { position: 1 })).numAffectedRows).toBe(0n);
    await put.run(rig.store, { name: 'a', position: 1 });
    expect((await move.run(rig.store, { position: 2 })).numAffectedRows).toBe(1n);
  });

  it('is seen by whoever watches the store, and can be kept back', async () => {
    await using rig = await temporaryStore();
    const seen: RootOperationNode[] = [];
    const watched = rig.store.withPlugin({
      transformQuery: ({ node }) => {
        seen.push(node);
        if (seen.length > 1) throw new Error('enough');
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    await put.run(watched, { name: 'a', position: 1 });
    await expect(put.run(watched, { name: 'b', position: 1 })).rejects.toThrow('enough');
    expect(seen.map(({ kind }) => kind)).toEqual(['InsertQueryNode', 'InsertQueryNode']);
    expect((await between.run(rig.store, { low: 0, high: 9 })).rows).toEqual([{ name: 'a' }]);
  });
});
