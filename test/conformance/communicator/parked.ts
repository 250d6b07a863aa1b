import { describe, expect, it } from 'vitest';
import type { Communicator } from '../../../src/broker/communicator.js';
import type { OpenWorld } from './world.js';

/** What `park`, `parkedTasks`, `resendParked` and `dropParked` promise. */
export function parkedConformance(openWorld: OpenWorld): void {
  describe('parked tasks', () => {
    /** Sends these ids as tasks and parks all of them. */
    async function parkAll(communicator: Communicator, ids: readonly string[]): Promise<void> {
      for (const id of ids) await communicator.sendTask('work', { name: id }, { id });
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      for (const id of ids) await (await intake.next()).park(`${id} is odd`);
    }
    const idsOf = async (communicator: Communicator, limit = 100) =>
      (await communicator.parkedTasks('work', limit)).map((task) => task.id);

    it('can be looked at with all that is known of them, and stay', async () => {
      await using world = await openWorld();
      const [communicator, other] = [await world.open(), await world.open()];
      const before = Date.now();
      await parkAll(communicator, ['a', 'b', 'c']);
      const seen = await other.parkedTasks('work', 100);
      const common = { queue: 'work', attempts: 1 };
      expect(seen).toMatchObject([
        { ...common, id: 'a', body: { name: 'a' }, reason: 'a is odd' },
        { ...common, id: 'b', body: { name: 'b' }, reason: 'b is odd' },
        { ...common, id: 'c', body: { name: 'c' }, reason: 'c is odd' },
      ]);
      for (const { sentAt, parkedAt } of seen) {
        expect(sentAt).toBeGreaterThanOrEqual(before);
        expect(parkedAt).toBeGreaterThanOrEqual(sentAt);
        expect(parkedAt).toBeLessThanOrEqual(Date.now());
      }
      expect(await other.parkedTasks('work', 100)).toEqual(seen);
      expect(await idsOf(communicator, 2)).toEqual(['a', 'b']);
      expect(await other.queueStatus('work')).toEqual({ waiting: 0, parked: 3, takers: 0 });
    });

    it('are none where there are none', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      expect(await communicator.parkedTasks('work', 10)).toEqual([]);
      expect(await communicator.resendParked('work', 'all')).toBe(0);
      expect(await communicator.dropParked('work', ['a'])).toBe(0);
    });

    it('can be sent again, some or all, with a full count of attempts', async () => {
      await using world = await openWorld();
      const communicator = await world.open({ attempts: 2 });
      await parkAll(communicator, ['a', 'b', 'c']);
      expect(await communicator.resendParked('work', ['b', 'unknown'])).toBe(1);
      expect(await idsOf(communicator)).toEqual(['a', 'c']);
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      for (let attempt = 1; attempt <= 2; attempt++) {
        await using task = await intake.next();
        expect(task).toMatchObject({ id: 'b', attempt, body: { name: 'b' } });
      }
      expect(await idsOf(communicator)).toEqual(['a', 'c', 'b']);
      expect(await communicator.resendParked('work', 'all')).toBe(3);
      expect(await idsOf(communicator)).toEqual([]);
      const again: string[] = [];
      for (let number = 0; number < 3; number++) {
        await using task = await intake.next();
        again.push(task.id);
        await task.accept();
      }
      expect(again).toEqual(['a', 'c', 'b']);
    });

    it('can be thrown away, some or all', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await parkAll(communicator, ['a', 'b', 'c', 'd']);
      expect(await communicator.dropParked('work', ['a', 'c', 'unknown'])).toBe(2);
      expect(await idsOf(communicator)).toEqual(['b', 'd']);
      expect(await communicator.dropParked('work', 'all')).toBe(2);
      expect(await idsOf(communicator)).toEqual([]);
      expect((await communicator.queueStatus('work')).waiting).toBe(0);
    });

    it('are the same for all who look at the same time', async () => {
      await using world = await openWorld();
      const [one, other] = [await world.open(), await world.open()];
      const ids = Array.from({ length: 20 }, (_, index) => `task-${index}`);
      await parkAll(one, ids);
      const looks = [one, other, one, other].map((communicator) => idsOf(communicator));
      expect(await Promise.all(looks)).toEqual([ids, ids, ids, ids]);
      const resent = await Promise.all([one.resendParked('work', 'all'), other.resendParked('work', 'all')]);
      expect(resent.sort()).toEqual([0, 20]);
      expect((await one.queueStatus('work')).waiting).toBe(20);
    });
  });
}
