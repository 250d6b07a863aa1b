import { describe, expect, it } from 'vitest';
import type { Communicator, Json } from '../../../src/broker/communicator.js';
import { until } from '../../rigs/until.js';
import { type Abilities, ample, codeFrom, deferred, type OpenWorld } from './world.js';

/** What holds at the end of a communicator and after it. */
export function endConformance(openWorld: OpenWorld, abilities: Abilities): void {
  const patience = { timeout: ample };
  /** Closing is at once: less than this even on a machine that has much else to do. */
  const atOnce = 5_000;

  async function secondsToClose(communicator: Communicator): Promise<number> {
    const began = performance.now();
    await communicator[Symbol.asyncDispose]();
    return performance.now() - began;
  }

  describe('a communicator that was closed', () => {
    it.each<[string, (communicator: Communicator) => Promise<unknown>]>([
      ['sendTask', (communicator) => communicator.sendTask('work', 1)],
      ['callTask', (communicator) => communicator.callTask('work', 1, patience)],
      ['takeTasks', (communicator) => communicator.takeTasks('work', { prefetch: 1 })],
      ['parkedTasks', (communicator) => communicator.parkedTasks('work', 1)],
      ['resendParked', (communicator) => communicator.resendParked('work', 'all')],
      ['dropParked', (communicator) => communicator.dropParked('work', 'all')],
      ['queueStatus', (communicator) => communicator.queueStatus('work')],
      ['call', (communicator) => communicator.call('process.1', 'echo', 1, patience)],
      ['serve', (communicator) => communicator.serve('process.1', {})],
      ['broadcast', (communicator) => communicator.broadcast('news')],
      ['listen', (communicator) => communicator.listen([{}], () => undefined)],
    ])('refuses %s', async (_, use) => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator[Symbol.asyncDispose]();
      expect(await codeFrom(use(communicator))).toBe('communicator-closed');
    });

    it('is not connected any more', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      expect(communicator.connected).toBe(true);
      await communicator[Symbol.asyncDispose]();
      expect(communicator.connected).toBe(false);
    });

    it('may be closed again, also while it closes', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await Promise.all([communicator[Symbol.asyncDispose](), communicator[Symbol.asyncDispose]()]);
      await communicator[Symbol.asyncDispose]();
    });

    it('fails everything that waits', async () => {
      await using world = await openWorld();
      const [other, communicator] = [await world.open(), await world.open()];
      const called = deferred();
      await other.serve('process.1', {
        never: () => {
          called.resolve();
          return new Promise<Json>(() => undefined);
        },
      });
      const intake = await communicator.takeTasks('work', { prefetch: 1 });
      const waiting = [
        intake.next(),
        communicator.call('process.1', 'never', null, patience),
        communicator.callTask('other', null, patience),
      ].map((work) => codeFrom(work));
      await called.promise;
      const stored = async () => (await other.queueStatus('other')).waiting === 1;
      await until(stored, { what: 'the task that is waited for', timeout: ample });
      expect(await secondsToClose(communicator)).toBeLessThan(atOnce);
      expect(await Promise.all(waiting)).toEqual(Array(3).fill('communicator-closed'));
    });

    it('leaves everything that hung on it in peace', async () => {
      await using world = await openWorld();
      const [other, communicator] = [await world.open(), await world.open()];
      await other.sendTask('work', 1);
      const intake = await communicator.takeTasks('work', { prefetch: 1 });
      const task = await intake.next();
      const served = await communicator.serve('process.1', {});
      const listening = await communicator.listen([{}], () => undefined);
      const told = communicator.onReconnected(() => undefined);
      await communicator[Symbol.asyncDispose]();
      expect(await codeFrom(task.accept())).toBe('communicator-closed');
      expect(await codeFrom(intake.next())).toBe('communicator-closed');
      for (const hung of [task, intake, served, listening]) await hung[Symbol.asyncDispose]();
      told[Symbol.dispose]();
      communicator.onReconnected(() => undefined)[Symbol.dispose]();
    });

    it('keeps what it accepted a moment before', async () => {
      await using world = await openWorld();
      const other = await world.open();
      for (let round = 0; round < 10; round++) {
        await other.sendTask('work', round);
        await using communicator = await world.open();
        await using intake = await communicator.takeTasks('work', { prefetch: 1 });
        await (await intake.next()).accept();
      }
      await other.sendTask('work', 'last');
      await using intake = await other.takeTasks('work', { prefetch: 1 });
      expect((await intake.next()).body).toBe('last');
    });

    it.skipIf(!abilities.cut)('closes at once when its connection has just broken', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator.serve('process.1', {});
      const intake = await communicator.takeTasks('work', { prefetch: 1 });
      const waiting = codeFrom(intake.next());
      await world.cut?.(communicator);
      expect(await secondsToClose(communicator)).toBeLessThan(atOnce);
      expect(await waiting).toBe('communicator-closed');
    });

    it.skipIf(!abilities.stall)('closes at once when the other side does not answer any more', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      const intake = await communicator.takeTasks('work', { prefetch: 1 });
      await communicator.serve('process.1', {});
      await world.stall?.(communicator);
      const waiting = [intake.next(), communicator.sendTask('work', 1), communicator.broadcast('news')];
      const codes = waiting.map((work) => codeFrom(work));
      expect(await secondsToClose(communicator)).toBeLessThan(atOnce);
      expect(await Promise.all(codes)).toEqual(Array(3).fill('communicator-closed'));
    });

    it.skipIf(!abilities.stall)('waits no longer than it was told for a side that does not answer', async () => {
      await using world = await openWorld();
      const communicator = await world.open({ patience: 1_000 });
      const listening = await communicator.serve('process.1', { echo: (body) => body });
      await world.stall?.(communicator);
      const began = performance.now();
      const codes = await Promise.all([
        codeFrom(communicator.call('process.1', 'echo', 1, { timeout: 500 })),
        codeFrom(communicator.call('process.1', 'echo', 1, { timeout: 60_000, signal: AbortSignal.timeout(500) })),
        codeFrom(communicator.sendTask('work', 1)),
        codeFrom(communicator.broadcast('news')),
        codeFrom(communicator.serve('process.2', {})),
        codeFrom(communicator.listen([{ subject: 'news' }], () => undefined)),
        codeFrom(communicator.queueStatus('work')),
      ]);
      expect(['timed-out', 'broker-unavailable']).toContain(codes[0]);
      expect(codes[1]).toBe('aborted');
      for (const code of codes.slice(2)) expect(['broker-unavailable', 'broker-lost']).toContain(code);
      expect(performance.now() - began).toBeLessThan(8_000);
      await listening[Symbol.asyncDispose]();
    });
  });
}
