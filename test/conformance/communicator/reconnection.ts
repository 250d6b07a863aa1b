import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/broker/communicator.js';
import { until } from '../../rigs/until.js';
import { startElsewhere } from './elsewhere.js';
import { type Abilities, ample, codeFrom, deferred, failureFrom, type OpenWorld } from './world.js';

/** What holds when a connection breaks, and between programs. */
export function reconnectionConformance(openWorld: OpenWorld, abilities: Abilities): void {
  const patience = { timeout: ample };

  describe.skipIf(!abilities.cut)('a connection that breaks', () => {
    /** A world in which the connection of one communicator breaks while `before` is in progress. */
    async function brokenWorld() {
      const world = await openWorld();
      const [steady, cut] = [await world.open(), await world.open()];
      let reconnections = 0;
      cut.onReconnected(() => {
        reconnections++;
      });
      const breakIt = async () => {
        const before = reconnections;
        await world.cut?.(cut);
        await until(() => reconnections > before && cut.connected, { what: 'another connection', timeout: ample });
      };
      return { world, steady, cut, breakIt, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
    }

    it('fails the calls that wait for an answer, at once', async () => {
      await using broken = await brokenWorld();
      const called = deferred();
      await broken.steady.serve('process.1', {
        never: () => {
          called.resolve();
          return new Promise<Json>(() => undefined);
        },
      });
      const waiting = failureFrom(broken.cut.call('process.1', 'never', null, { timeout: 600_000 }));
      await called.promise;
      await broken.breakIt();
      expect(await waiting).toMatchObject({ code: 'broker-lost', transient: true });
    });

    it('comes again with everything that was served, taken and listened to', async () => {
      await using broken = await brokenWorld();
      const { steady, cut } = broken;
      const heard: Json[] = [];
      await cut.serve('process.1', { echo: (body) => body });
      await cut.listen([{ subject: 'news.*' }], ({ body }) => heard.push(body));
      await using intake = await cut.takeTasks('work', { prefetch: 1 });
      for (let round = 0; round < 3; round++) {
        await broken.breakIt();
        const answer = () => steady.call('process.1', 'echo', round, patience).catch(() => undefined);
        await until(async () => (await answer()) === round, { what: 'the method answers again', timeout: ample });
        await steady.broadcast('news.all', { body: round });
        await until(() => heard.includes(round), { what: 'broadcasts are heard again', timeout: ample });
        await steady.sendTask('work', round);
        // The last one may come again: nobody knows whether its acceptance got through before the connection broke.
        for (let body: Json = null; body !== round; ) {
          await using task = await intake.next();
          body = task.body;
          expect([round - 1, round]).toContain(body);
          await task.accept();
        }
      }
      expect(heard).toEqual([0, 1, 2]);
    });

    it('gives back the tasks in hand as another attempt; they cannot be accepted any more', async () => {
      await using broken = await brokenWorld();
      const { steady, cut } = broken;
      await using intake = await cut.takeTasks('work', { prefetch: 1 });
      await steady.sendTask('work', 'once', { id: 'once' });
      const lost = await intake.next();
      await broken.breakIt();
      expect(await failureFrom(lost.accept())).toMatchObject({ code: 'broker-lost', transient: true });
      await lost[Symbol.asyncDispose]();
      await using task = await intake.next();
      expect(task).toMatchObject({ id: 'once', attempt: 2 });
      await task.accept();
      expect(await steady.queueStatus('work')).toMatchObject({ waiting: 0, parked: 0 });
    });

    it('loses no task that was reported as sent, and sends what is sent meanwhile', async () => {
      await using broken = await brokenWorld();
      const { steady, cut } = broken;
      const sent: string[] = [];
      let sending = true;
      const loop = (async () => {
        for (let number = 0; sending; number++) {
          await cut.sendTask('work', null, { id: `task-${number}` });
          sent.push(`task-${number}`);
        }
      })();
      for (let round = 0; round < 3; round++) {
        const before = sent.length;
        await until(() => sent.length > before + 5, { what: 'tasks that are sent', timeout: ample });
        await broken.breakIt();
      }
      sending = false;
      await loop;
      const seen = new Set<string>();
      await using intake = await steady.takeTasks('work', { prefetch: 50 });
      while (seen.size < sent.length) {
        await using task = await intake.next();
        seen.add(task.id);
        await task.accept();
      }
      expect([...seen].sort()).toEqual(sent.sort());
    });

    it('is told of once each time, and no more to whoever does not ask any more', async () => {
      await using broken = await brokenWorld();
      let told = 0;
      const listening = broken.cut.onReconnected(() => {
        told++;
      });
      await broken.breakIt();
      expect(told).toBe(1);
      listening[Symbol.dispose]();
      await broken.breakIt();
      expect(told).toBe(1);
    });

    it('keeps the address for its owner', async () => {
      await using broken = await brokenWorld();
      await broken.cut.serve('worker.1', { who: () => 'cut' });
      await broken.breakIt();
      const taken = async () => (await codeFrom(broken.steady.serve('worker.1', {}))) === 'name-taken';
      expect(await taken()).toBe(true);
    });
  });

  describe.skipIf(!abilities.elsewhere)('another program', () => {
    it('gets tasks and broadcasts and sends its own', async () => {
      await using world = await openWorld();
      const here = await world.open();
      await using other = await startElsewhere(world.elsewhere);
      await other.ask({ send: { queue: 'work', body: 'from there' } });
      await using intake = await here.takeTasks('work', { prefetch: 1 });
      await using task = await intake.next();
      expect(task.body).toBe('from there');
      await task.accept();
      await other.ask({ listen: { sender: 'worker.*' } });
      await here.broadcast('unheard');
      await here.broadcast('news.one', { sender: 'worker.1', body: 1, correlationId: 'c' });
      expect(await other.heard()).toEqual({ subject: 'news.one', sender: 'worker.1', body: 1, correlationId: 'c' });
      const heard = deferred<Json>();
      await here.listen([{ subject: 'news.two' }], ({ body }) => heard.resolve(body));
      await other.ask({ broadcast: { subject: 'news.two', message: { body: 'back' } } });
      expect(await heard.promise).toBe('back');
    });
  });
}
