import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../../src/store/store.js';
import { type TemporaryStore, temporaryStore } from './temporary-store.js';

describe('two connections to one database', () => {
  let rig: TemporaryStore;
  let one: Store;
  let two: Store;

  beforeEach(async () => {
    rig = await temporaryStore();
    one = rig.store;
    two = await rig.again();
    await one.insertInto('cursors').values({ name: 'count', position: 0 }).execute();
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  const position = async (store: Store) =>
    (await store.selectFrom('cursors').select('position').executeTakeFirstOrThrow()).position;

  /** Reads, lets others run, writes: loses a count unless it is alone. */
  const countUp = (store: Store) =>
    store.transaction().execute(async (transaction) => {
      const { position } = await transaction.selectFrom('cursors').select('position').executeTakeFirstOrThrow();
      await new Promise<void>((resolve) => setImmediate(resolve));
      await transaction
        .updateTable('cursors')
        .set({ position: position + 1 })
        .execute();
    });

  it('take turns in many transactions at once, and none is lost or refused', async () => {
    await Promise.all(Array.from({ length: 60 }, (_, index) => countUp(index % 2 === 0 ? one : two)));
    expect(await position(one)).toBe(60);
    expect(await position(two)).toBe(60);
  });

  it('let single statements wait for a transaction of the other', async () => {
    const slow = one.transaction().execute(async (transaction) => {
      await transaction.updateTable('cursors').set({ position: 1 }).execute();
      await delay(60);
    });
    await delay(10);
    await two
      .updateTable('cursors')
      .set((columns) => ({ position: columns('position', '+', 10) }))
      .execute();
    await slow;
    expect(await position(one)).toBe(11);
  });

  it('leave the event loop free while one waits for the other', async () => {
    let turns = 0;
    const ticker = setInterval(() => turns++, 5);
    const slow = one.transaction().execute(async (transaction) => {
      await transaction.updateTable('cursors').set({ position: 1 }).execute();
      await delay(100);
    });
    await delay(10);
    await countUp(two);
    await slow;
    clearInterval(ticker);
    expect(turns).toBeGreaterThan(5);
  });

  it('read what was committed while the other is in a transaction', async () => {
    await one.transaction().execute(async (transaction) => {
      await transaction.updateTable('cursors').set({ position: 7 }).execute();
      expect(await position(two)).toBe(0);
    });
    expect(await position(two)).toBe(7);
  });

  it('go on after a transaction that was rolled back', async () => {
    await expect(
      one.transaction().execute(async (transaction) => {
        await transaction.updateTable('cursors').set({ position: 7 }).execute();
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await countUp(two);
    expect(await position(one)).toBe(1);
  });
});
