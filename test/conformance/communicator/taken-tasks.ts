import { describe, expect, it } from 'vitest';
import { until } from '../../rigs/until.js';
import { startElsewhere } from './elsewhere.js';
import { type Abilities, ample, codeFrom, type OpenWorld } from './world.js';

/** What becomes of tasks that their taker does not deal with. */
export function takenTaskConformance(openWorld: OpenWorld, abilities: Abilities): void {
  describe('tasks that were taken', () => {
    it('go back to the end of their queue when they are dropped, as another attempt', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      for (const id of ['first', 'second']) await communicator.sendTask('work', id, { id });
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      const seen: [string, number][] = [];
      {
        await using dropped = await intake.next();
        seen.push([dropped.id, dropped.attempt]);
      }
      for (let round = 0; round < 2; round++) {
        await using task = await intake.next();
        seen.push([task.id, task.attempt]);
        await task.accept();
      }
      expect(seen).toEqual([
        ['first', 1],
        ['second', 1],
        ['first', 2],
      ]);
    });

    it('keep what they were sent with over all attempts', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator.sendTask('work', { odd: true }, { id: 'same' });
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      let sentAt = 0;
      for (let attempt = 1; attempt <= 3; attempt++) {
        await using task = await intake.next();
        sentAt ||= task.sentAt;
        expect(task).toMatchObject({ id: 'same', body: { odd: true }, attempt, sentAt });
      }
    });

    it('are dropped when what is done with them throws', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator.sendTask('work', 1);
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      const take = async () => {
        await using task = await intake.next();
        throw new Error(`cannot do ${task.id}`);
      };
      await expect(take()).rejects.toThrow('cannot do');
      expect((await intake.next()).attempt).toBe(2);
    });

    it('are parked after the last of their attempts', async () => {
      await using world = await openWorld();
      const communicator = await world.open({ attempts: 3 });
      await communicator.sendTask('work', 'poison', { id: 'p' });
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      for (let attempt = 1; attempt <= 3; attempt++) {
        await using task = await intake.next();
        expect(task.attempt).toBe(attempt);
      }
      expect(await communicator.parkedTasks('work', 10)).toMatchObject([{ id: 'p', attempts: 3, body: 'poison' }]);
      expect((await communicator.queueStatus('work')).waiting).toBe(0);
    });

    it('do not come again once they are accepted, refused or parked', async () => {
      await using world = await openWorld();
      const [sender, next] = [await world.open(), await world.open()];
      for (const body of ['accept', 'refuse', 'park', 'last']) await sender.sendTask('work', body);
      {
        await using taker = await world.open();
        await using intake = await taker.takeTasks('work', { prefetch: 1 });
        await using accepted = await intake.next();
        await accepted.accept();
        await using refused = await intake.next();
        await refused.refuse(new Error('no'));
        await using parked = await intake.next();
        await parked.park('odd');
      }
      await using intake = await next.takeTasks('work', { prefetch: 1 });
      await using task = await intake.next();
      expect(task.body).toBe('last');
      await task.accept();
      expect(await sender.queueStatus('work')).toMatchObject({ waiting: 0, parked: 1 });
    });

    it('come to somebody else when their taker closes', async () => {
      await using world = await openWorld();
      const [sender, next] = [await world.open(), await world.open()];
      await sender.sendTask('work', 'held', { id: 'held' });
      await using intake = await next.takeTasks('other', { prefetch: 1 });
      {
        await using taker = await world.open();
        const first = await taker.takeTasks('work', { prefetch: 1 });
        expect((await first.next()).attempt).toBe(1);
      }
      await using again = await next.takeTasks('work', { prefetch: 1 });
      expect(await again.next()).toMatchObject({ id: 'held', attempt: 2 });
      await intake[Symbol.asyncDispose]();
    });

    it('can be dealt with after the end of their intake; what nobody took out yet comes to others, uncounted', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      for (let number = 0; number < 4; number++) await communicator.sendTask('work', number);
      const intake = await communicator.takeTasks('work', { prefetch: 3 });
      const task = await intake.next();
      const buffered = async () => (await communicator.queueStatus('work')).waiting === 1;
      await until(buffered, { what: 'three tasks at the intake', timeout: ample });
      await intake[Symbol.asyncDispose]();
      await task.accept();
      await using rest = await communicator.takeTasks('work', { prefetch: 1 });
      const seen: unknown[] = [];
      for (let number = 1; number < 4; number++) {
        await using other = await rest.next();
        seen.push([other.body, other.attempt]);
        await other.accept();
      }
      expect(seen.sort()).toEqual([
        [1, 1],
        [2, 1],
        [3, 1],
      ]);
    });

    it('end an iteration in peace when the intake ends, and whoever asks it afterwards is told', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      const intake = await communicator.takeTasks('work', { prefetch: 1 });
      const iteration = (async () => {
        for await (const task of intake) await task.accept();
        return 'ended';
      })();
      await intake[Symbol.asyncDispose]();
      expect(await iteration).toBe('ended');
      expect(await codeFrom(intake.next())).toBe('communicator-closed');
      await intake[Symbol.asyncDispose]();
    });

    it.skipIf(!abilities.elsewhere)('come to somebody else when the program of their taker is killed', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator.sendTask('work', 'deadly', { id: 'd' });
      {
        await using other = await startElsewhere(world.elsewhere);
        expect(await other.ask({ take: 'work' })).toMatchObject({ id: 'd', attempt: 1 });
        await other.kill();
      }
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      expect(await intake.next()).toMatchObject({ id: 'd', attempt: 2 });
    });

    it.skipIf(!abilities.elsewhere)('are parked when they kill their takers again and again', async () => {
      await using world = await openWorld();
      const communicator = await world.open({ attempts: 2 });
      await communicator.sendTask('work', 'deadly', { id: 'd' });
      for (let attempt = 1; attempt <= 2; attempt++) {
        await using other = await startElsewhere(world.elsewhere, { attempts: 2 });
        expect(await other.ask({ take: 'work' })).toMatchObject({ id: 'd', attempt });
        await other.kill();
      }
      // It is somebody who takes tasks that finds it out.
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      const parked = async () => (await communicator.queueStatus('work')).parked === 1;
      await until(parked, { what: 'the task parked', timeout: ample });
      expect(await communicator.parkedTasks('work', 10)).toMatchObject([{ id: 'd', attempts: 2, body: 'deadly' }]);
      await intake[Symbol.asyncDispose]();
    });
  });
}
