import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimLease, fenced, leaseHolder, releaseLease, renewLease } from '../../../src/store/leases.js';
import type { Store } from '../../../src/store/store.js';
import type { LeaseRow } from '../../../src/store/tables.js';
import { type TemporaryStore, temporaryStore } from './temporary-store.js';

describe('a lease', () => {
  let rig: TemporaryStore;
  let store: Store;

  beforeEach(async () => {
    rig = await temporaryStore();
    store = rig.store;
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  async function claimed(owner: string, now: number, duration = 100) {
    const lease = await claimLease(store, 'computer:1', owner, now, duration);
    if (lease === undefined) throw new Error(`${owner} did not get the lease`);
    return lease;
  }
  const row = () => store.selectFrom('leases').selectAll().executeTakeFirstOrThrow();
  const write = (lease: Parameters<typeof fenced>[1]) => fenced(store, lease, async () => 'written');

  it('is given to the first who asks and to nobody else', async () => {
    expect(await claimed('a', 0)).toEqual({ name: 'computer:1', owner: 'a', epoch: 1 });
    expect(await claimLease(store, 'computer:1', 'b', 50, 100)).toBeUndefined();
    expect(await claimLease(store, 'computer:2', 'b', 50, 100)).toMatchObject({ owner: 'b', epoch: 1 });
  });

  it.each([
    [99, false],
    [100, true],
    [101, true],
  ])('that runs out at 100 can be taken over at %i: %s', async (now, can) => {
    await claimed('a', 0);
    const taken = await claimLease(store, 'computer:1', 'b', now, 100);
    expect(taken).toEqual(can ? { name: 'computer:1', owner: 'b', epoch: 2 } : undefined);
  });

  it('cannot be written with by its old holder once it was taken over', async () => {
    const old = await claimed('a', 0);
    const taken = await claimed('b', 200);
    await expect(write(old)).rejects.toMatchObject({ code: 'lease-lost', transient: false });
    expect(await write(taken)).toBe('written');
  });

  it('that ran out but was not taken over still allows to write and to be renewed', async () => {
    const lease = await claimed('a', 0);
    expect(await write(lease)).toBe('written');
    expect(await renewLease(store, lease, 500, 100)).toBe(true);
    expect(await claimLease(store, 'computer:1', 'b', 550, 100)).toBeUndefined();
  });

  it('cannot be renewed or released by an old holder', async () => {
    const old = await claimed('a', 0);
    await claimed('b', 200);
    expect(await renewLease(store, old, 200, 1000)).toBe(false);
    await releaseLease(store, old);
    expect(await row()).toMatchObject({ owner: 'b', epoch: 2, expires_at: 300 });
  });

  it('that was released is free at once, with a higher epoch, and is lost to who gave it back', async () => {
    const old = await claimed('a', 0);
    await releaseLease(store, old);
    await expect(write(old)).rejects.toMatchObject({ code: 'lease-lost' });
    expect(await renewLease(store, old, 1, 100)).toBe(false);
    expect(await claimed('a', 1)).toMatchObject({ epoch: 2 });
    await expect(write(old)).rejects.toMatchObject({ code: 'lease-lost' });
  });

  it('keeps the writes of a transaction from committing when it is not held', async () => {
    const old = await claimed('a', 0);
    await claimed('b', 200);
    await fenced(store, old, (transaction) =>
      transaction.insertInto('cursors').values({ name: 'x', position: 1 }).execute(),
    ).catch(() => undefined);
    expect(await store.selectFrom('cursors').selectAll().execute()).toEqual([]);
  });

  it('is got by exactly one of many who claim it at once, over two connections', async () => {
    const two = await rig.again();
    for (let round = 0; round < 10; round++) {
      const now = round * 1000;
      const leases = await Promise.all(
        Array.from({ length: 8 }, (_, index) =>
          claimLease(index % 2 === 0 ? store : two, 'computer:1', `owner-${index}`, now, 100),
        ),
      );
      expect(leases.filter((lease) => lease !== undefined)).toEqual([expect.objectContaining({ epoch: round + 1 })]);
    }
  });

  it('names its holder only while it is held', async () => {
    expect(await leaseHolder(store, 'computer:1', 0)).toBeUndefined();
    const lease = await claimed('a', 0);
    expect(await leaseHolder(store, 'computer:1', 99)).toMatchObject({ owner: 'a', pid: process.pid });
    expect(await leaseHolder(store, 'computer:1', 100)).toBeUndefined();
    await releaseLease(store, lease);
    expect(await leaseHolder(store, 'computer:1', 0)).toBeUndefined();
  });

  describe('of another process', () => {
    const children: ChildProcess[] = [];
    afterEach(() => {
      for (const child of children.splice(0)) child.kill('SIGKILL');
    });

    async function sleeper(): Promise<{ pid: number; started: string; end(): Promise<void> }> {
      const child = spawn('sleep', ['60'], { stdio: 'ignore' });
      children.push(child);
      await once(child, 'spawn');
      const { pid = -1 } = child;
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1)?.split(' ') ?? [];
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
      return {
        pid,
        started: `${boot}:${fields[19]}`,
        async end() {
          const exit = once(child, 'exit');
          child.kill('SIGKILL');
          await exit;
        },
      };
    }

    async function heldBy(holder: Partial<LeaseRow>) {
      const lease = await claimed('other', 0, 1_000_000);
      await store.updateTable('leases').set(holder).execute();
      return lease;
    }

    it('is left alone while that process lives and taken over as soon as it is dead', async () => {
      const { pid, started, end } = await sleeper();
      const old = await heldBy({ pid, pid_started: started });
      expect(await claimLease(store, 'computer:1', 'b', 1, 100)).toBeUndefined();
      expect(await leaseHolder(store, 'computer:1', 1)).toMatchObject({ pid });
      await end();
      expect(await leaseHolder(store, 'computer:1', 1)).toBeUndefined();
      expect(await claimed('b', 1)).toMatchObject({ owner: 'b', epoch: 2 });
      await expect(write(old)).rejects.toMatchObject({ code: 'lease-lost' });
    });

    it('of another pid namespace is left until it runs out: what runs here under its pid is somebody else', async () => {
      const { pid, started, end } = await sleeper();
      const namespace = readlinkSync('/proc/self/ns/pid');
      await heldBy({ pid, pid_started: `${started}:pid:[1]` });
      await end();
      expect(await claimLease(store, 'computer:1', 'b', 1, 100)).toBeUndefined();
      expect(await leaseHolder(store, 'computer:1', 1)).toMatchObject({ pid });
      await store
        .updateTable('leases')
        .set({ pid_started: `${started}:${namespace}` })
        .execute();
      expect(await claimed('b', 1)).toMatchObject({ epoch: 2 });
      expect(await row()).toMatchObject({ pid: process.pid, pid_started: expect.stringContaining(`:${namespace}`) });
    });

    it('is taken over when its pid belongs to a younger process or to one before a reboot', async () => {
      const { pid, started } = await sleeper();
      await heldBy({ pid, pid_started: `${started}0` });
      expect(await claimed('b', 1)).toMatchObject({ epoch: 2 });
      await store
        .updateTable('leases')
        .set({ pid, pid_started: `other-${started}` })
        .execute();
      expect(await claimed('c', 1)).toMatchObject({ epoch: 3 });
    });

    it('of another host, or of one that tells no start time, is left until it runs out', async () => {
      await heldBy({ host: `not-${hostname()}`, pid: 4_000_000, pid_started: 'x' });
      expect(await claimLease(store, 'computer:1', 'b', 1, 100)).toBeUndefined();
      await store.updateTable('leases').set({ host: hostname(), pid: 4_000_000, pid_started: '' }).execute();
      expect(await claimLease(store, 'computer:1', 'b', 1, 100)).toBeUndefined();
      expect(await claimed('b', 1_000_001)).toMatchObject({ epoch: 2 });
    });
  });
});
