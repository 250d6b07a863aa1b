import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/broker/communicator.js';
import { WherryError } from '../../../src/errors.js';
import { until } from '../../rigs/until.js';
import { ample, codeFrom, failureFrom, type OpenWorld } from './world.js';

/** What `sendTask`, `callTask`, `takeTasks` and `queueStatus` promise while all goes well. */
export function taskConformance(openWorld: OpenWorld): void {
  describe('tasks', () => {
    it('reach a taker whole', async () => {
      await using world = await openWorld();
      const [sender, taker] = [await world.open(), await world.open()];
      const before = Date.now();
      await sender.sendTask('work', { to: 'do', nested: [1, null, true] }, { id: 'task-1' });
      await using intake = await taker.takeTasks('work', { prefetch: 1 });
      const task = await intake.next();
      const body = { to: 'do', nested: [1, null, true] };
      expect(task).toMatchObject({ id: 'task-1', queue: 'work', attempt: 1, body, awaited: false });
      expect(task.sentAt).toBeGreaterThanOrEqual(before);
      expect(task.sentAt).toBeLessThanOrEqual(Date.now());
      await task.accept();
    });

    it('get an id of their own when they are given none', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator.sendTask('work', 1);
      await communicator.sendTask('work', 1);
      await using intake = await communicator.takeTasks('work', { prefetch: 2 });
      const ids = [(await intake.next()).id, (await intake.next()).id];
      expect(new Set(ids).size).toBe(2);
      for (const id of ids) expect(id).toMatch(/./);
    });

    it('carry every kind of JSON, and a megabyte of it', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      const large = 'Grüße, 世界 🚢 '.repeat(50_000);
      const bodies: Json[] = [null, false, 0, -1.5, '', 'Grüße\u0000\n', [], {}, { '': [{}] }, large];
      for (const body of bodies) {
        await communicator.sendTask('work', body);
        await using task = await intake.next();
        expect(task.body).toEqual(body);
        await task.accept();
      }
    });

    it('wait for a taker when their sender has long gone', async () => {
      await using world = await openWorld();
      {
        await using sender = await world.open();
        await sender.sendTask('work', 'later');
      }
      const taker = await world.open();
      await using intake = await taker.takeTasks('work', { prefetch: 1 });
      await using task = await intake.next();
      expect(task.body).toBe('later');
      await task.accept();
    });

    it('come in the order in which they were sent', async () => {
      await using world = await openWorld();
      const [sender, taker] = [await world.open(), await world.open()];
      const numbers = Array.from({ length: 100 }, (_, index) => index);
      for (const number of numbers.slice(0, 50)) await sender.sendTask('work', number);
      await using intake = await taker.takeTasks('work', { prefetch: 10 });
      for (const number of numbers.slice(50)) await sender.sendTask('work', number);
      const taken: Json[] = [];
      for await (const task of intake) {
        taken.push(task.body);
        await task.accept();
        if (taken.length === numbers.length) break;
      }
      expect(taken).toEqual(numbers);
    });

    it('of one queue do not come from another', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator.sendTask('one', 1);
      await communicator.sendTask('two', 2);
      await using two = await communicator.takeTasks('two', { prefetch: 5 });
      await using one = await communicator.takeTasks('one', { prefetch: 5 });
      expect([(await one.next()).body, (await two.next()).body]).toEqual([1, 2]);
      expect(await communicator.queueStatus('two')).toMatchObject({ waiting: 0 });
    });

    it('do not come from another profile', async () => {
      await using world = await openWorld();
      await using other = await openWorld();
      const [here, there] = [await world.open(), await other.open()];
      await there.sendTask('work', 'there');
      await here.sendTask('work', 'here');
      await using intake = await here.takeTasks('work', { prefetch: 2 });
      expect((await intake.next()).body).toBe('here');
      expect(await there.queueStatus('work')).toEqual({ waiting: 1, parked: 0, takers: 0 });
    });

    it('are given out no more at a time than the prefetch', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      for (let number = 0; number < 5; number++) await communicator.sendTask('work', number);
      await using intake = await communicator.takeTasks('work', { prefetch: 2 });
      const first = await intake.next();
      await intake.next();
      let third: Json | undefined;
      const next = intake.next().then((task) => {
        third = task.body;
      });
      const waits = async () => (await communicator.queueStatus('work')).waiting === 3;
      await until(waits, { what: 'three tasks that wait', timeout: ample });
      expect(third).toBeUndefined();
      await first.accept();
      await next;
      expect(third).toBe(2);
    });

    it('each go to one of those who ask at the same time', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await using intake = await communicator.takeTasks('work', { prefetch: 3 });
      const asked = [intake.next(), intake.next(), intake.next()];
      for (const body of ['a', 'b', 'c']) await communicator.sendTask('work', body);
      const bodies = (await Promise.all(asked)).map((task) => task.body);
      expect(bodies).toEqual(['a', 'b', 'c']);
    });

    it('are shared by two takers, each to one of them', async () => {
      await using world = await openWorld();
      const [sender, one, other] = [await world.open(), await world.open(), await world.open()];
      const taken: string[] = [];
      const shares = [0, 0];
      await using first = await one.takeTasks('work', { prefetch: 1 });
      await using second = await other.takeTasks('work', { prefetch: 1 });
      const take = async (intake: typeof first, share: number) => {
        for await (const task of intake) {
          taken.push(String(task.body));
          shares[share] = (shares[share] ?? 0) + 1;
          await task.accept();
        }
      };
      const loops = [take(first, 0), take(second, 1)];
      for (let number = 0; number < 60; number++) await sender.sendTask('work', `task ${number}`);
      await until(() => taken.length >= 60, { what: 'all tasks', timeout: ample });
      await first[Symbol.asyncDispose]();
      await second[Symbol.asyncDispose]();
      await Promise.all(loops);
      expect(new Set(taken).size).toBe(60);
      expect(taken).toHaveLength(60);
      expect(Math.min(...shares)).toBeGreaterThan(0);
    });

    it('keep nobody waiting who is told to stop, and are not lost by it', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      const stop = new AbortController();
      const waiting = intake.next({ signal: stop.signal });
      stop.abort();
      expect(await codeFrom(waiting)).toBe('aborted');
      expect(await codeFrom(intake.next({ signal: AbortSignal.abort() }))).toBe('aborted');
      await communicator.sendTask('work', 'after');
      expect((await intake.next()).body).toBe('after');
    });

    it('are counted', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      expect(await communicator.queueStatus('work')).toEqual({ waiting: 0, parked: 0, takers: 0 });
      for (let number = 0; number < 3; number++) await communicator.sendTask('work', number);
      expect(await communicator.queueStatus('work')).toEqual({ waiting: 3, parked: 0, takers: 0 });
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      await (await intake.next()).park('odd');
      const counted = async () => {
        const { waiting, parked, takers } = await communicator.queueStatus('work');
        return waiting === 1 && parked === 1 && takers === 1;
      };
      await until(counted, { what: 'one waiting, one parked, one taker', timeout: ample });
    });

    it('are not sent when their sender was told to stop', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      expect(await codeFrom(communicator.sendTask('work', 1, { signal: AbortSignal.abort() }))).toBe('aborted');
      expect((await communicator.queueStatus('work')).waiting).toBe(0);
    });
  });

  describe('tasks whose answer is waited for', () => {
    const patience = { timeout: ample };

    it('answer', async () => {
      await using world = await openWorld();
      const [sender, taker] = [await world.open(), await world.open()];
      await using intake = await taker.takeTasks('work', { prefetch: 2 });
      const answers = [sender.callTask('work', { number: 20 }, patience), sender.callTask('work', 'plain', patience)];
      // Sent at the same time, they come in any order.
      const taken = [await intake.next(), await intake.next()];
      const [first, second] = taken[0]?.body === 'plain' ? taken.reverse() : taken;
      if (first === undefined || second === undefined) throw new Error('two tasks were taken');
      expect(first).toMatchObject({ body: { number: 20 }, attempt: 1, awaited: true });
      await second.accept();
      await first.accept({ twice: 40 });
      expect(await Promise.all(answers)).toEqual([{ twice: 40 }, null]);
    });

    it('fail with the error of whoever refuses them', async () => {
      await using world = await openWorld();
      const [sender, taker] = [await world.open(), await world.open()];
      await using intake = await taker.takeTasks('work', { prefetch: 1 });
      const ours = failureFrom(sender.callTask('work', 1, patience));
      const details = { transient: true, hint: 'wait a minute' };
      await (await intake.next()).refuse(new WherryError('limit-reached', 'no more today', details));
      expect(await ours).toMatchObject({ code: 'limit-reached', message: 'no more today', ...details });
      const foreign = failureFrom(sender.callTask('work', 2, patience));
      await (await intake.next()).refuse(new TypeError('not a function'));
      expect(await foreign).toMatchObject({ code: 'internal', message: 'not a function', transient: false });
      expect(await sender.queueStatus('work')).toMatchObject({ waiting: 0, parked: 0 });
    });

    it('answer from a later attempt too', async () => {
      await using world = await openWorld();
      const [sender, taker] = [await world.open(), await world.open()];
      await using intake = await taker.takeTasks('work', { prefetch: 1 });
      const answer = sender.callTask('work', 1, patience);
      {
        await using dropped = await intake.next();
        expect(dropped.attempt).toBe(1);
      }
      await using task = await intake.next();
      expect(task.attempt).toBe(2);
      await task.accept('at last');
      expect(await answer).toBe('at last');
    });

    it('are given up in time, and stay', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      expect(await codeFrom(communicator.callTask('work', 1, { timeout: 200 }))).toBe('timed-out');
      const stop = new AbortController();
      const waiting = communicator.callTask('work', 2, { timeout: ample, signal: stop.signal });
      const stored = async () => (await communicator.queueStatus('work')).waiting === 2;
      await until(stored, { what: 'both tasks in the queue', timeout: ample });
      stop.abort();
      expect(await codeFrom(waiting)).toBe('aborted');
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      await (await intake.next()).accept('nobody hears this');
      expect((await intake.next()).body).toBe(2);
    });

    it('may be sent without an answer being waited for', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      await communicator.sendTask('work', 1);
      await (await intake.next()).accept('unheard');
      await communicator.sendTask('work', 2);
      await (await intake.next()).refuse(new Error('unheard'));
      await communicator.sendTask('work', 3);
      expect((await intake.next()).body).toBe(3);
    });
  });
}
