import { describe, expect, it } from 'vitest';
import type { Communicator, Json } from '../../../src/broker/communicator.js';
import { WherryError } from '../../../src/errors.js';
import { startElsewhere } from './elsewhere.js';
import { type Abilities, ample, codeFrom, deferred, failureFrom, millisecondsOf, type OpenWorld } from './world.js';

/** What `call` and `serve` promise. */
export function callConformance(openWorld: OpenWorld, abilities: Abilities): void {
  const patience = { timeout: ample };
  const echo = { echo: (body: Json) => body };

  /** Serves a method that tells when it was called and what became of its signal, and never answers. */
  async function serveSilence(communicator: Communicator) {
    const called = deferred<AbortSignal>();
    const aborted = deferred();
    await communicator.serve('process.1', {
      never: (_, { signal }) => {
        signal.addEventListener('abort', () => aborted.resolve());
        called.resolve(signal);
        return new Promise<Json>(() => undefined);
      },
    });
    return { called: called.promise, aborted: aborted.promise };
  }

  describe('calls', () => {
    it('are answered', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      await server.serve('process.17', {
        twice: async (body) => ({ twice: Number((body as { number: number }).number) * 2 }),
        at_once: (body) => [body],
      });
      expect(await caller.call('process.17', 'twice', { number: 21 }, patience)).toEqual({ twice: 42 });
      expect(await caller.call('process.17', 'at_once', 'x', patience)).toEqual(['x']);
    });

    it('carry every kind of JSON, and a megabyte of it, both ways', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      await server.serve('process.1', echo);
      const large = 'Grüße, 世界 🚢 '.repeat(50_000);
      for (const body of [null, true, 0, 1e300, '', 'ä\u0000"', [], {}, { '': [[]] }, large]) {
        expect(await caller.call('process.1', 'echo', body, patience)).toEqual(body);
      }
    });

    it('fail with the error of the method, its code, message, hint and whether it is transient', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      await server.serve('process.1', {
        ours: () => {
          throw new WherryError('transition-refused', 'it is paused', { transient: true, hint: 'wherry play 1' });
        },
        foreign: async () => {
          throw new TypeError('undefined is not a function');
        },
        odd: () => {
          throw 'a text';
        },
      });
      expect(await failureFrom(caller.call('process.1', 'ours', null, patience))).toMatchObject({
        code: 'transition-refused',
        message: 'it is paused',
        transient: true,
        hint: 'wherry play 1',
      });
      expect(await failureFrom(caller.call('process.1', 'foreign', null, patience))).toMatchObject({
        code: 'internal',
        message: 'undefined is not a function',
        transient: false,
      });
      expect(await failureFrom(caller.call('process.1', 'odd', null, patience))).toMatchObject({
        code: 'internal',
        message: 'a text',
      });
    });

    it('of a method that is not there are refused', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator.serve('process.1', echo);
      for (const method of ['missing', 'constructor', '__proto__', 'toString', 'Echo']) {
        expect(await codeFrom(communicator.call('process.1', method, null, patience))).toBe('message-refused');
      }
    });

    it('of an address that nobody answers to fail at once', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator.serve('process.1', echo);
      const began = performance.now();
      const codes = await Promise.all(
        (['process.2', 'worker.1', 'process.11'] as const).map((address) =>
          codeFrom(communicator.call(address, 'echo', null, { timeout: 600_000 })),
        ),
      );
      expect(codes).toEqual(['unroutable', 'unroutable', 'unroutable']);
      expect(performance.now() - began).toBeLessThan(10_000);
    });

    it('are given up in time, and the method is told', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      const { called, aborted } = await serveSilence(server);
      const began = performance.now();
      expect(await codeFrom(caller.call('process.1', 'never', null, { timeout: 500 }))).toBe('timed-out');
      expect(performance.now() - began).toBeGreaterThan(450);
      await called;
      await aborted;
    });

    it('can be broken off, and the method is told', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      const { called, aborted } = await serveSilence(server);
      const stop = new AbortController();
      const waiting = caller.call('process.1', 'never', null, { ...patience, signal: stop.signal });
      expect((await called).aborted).toBe(false);
      stop.abort();
      expect(await codeFrom(waiting)).toBe('aborted');
      await aborted;
    });

    it('of a communicator that closes are broken off, and the method is told', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      const { called, aborted } = await serveSilence(server);
      const waiting = codeFrom(caller.call('process.1', 'never', null, { timeout: 600_000 }));
      await called;
      await caller[Symbol.asyncDispose]();
      expect(await waiting).toBe('communicator-closed');
      await aborted;
    });

    it('are not made when they have been broken off before', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      const seen: Json[] = [];
      await server.serve('process.1', { note: (body) => seen.push(body) });
      const signal = AbortSignal.abort();
      expect(await codeFrom(caller.call('process.1', 'note', 'no', { ...patience, signal }))).toBe('aborted');
      await caller.call('process.1', 'note', 'yes', patience);
      expect(seen).toEqual(['yes']);
    });

    it('that are answered too late harm nobody', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      const late = deferred<Json>();
      await server.serve('process.1', { ...echo, late: () => late.promise });
      expect(await codeFrom(caller.call('process.1', 'late', null, { timeout: 200 }))).toBe('timed-out');
      late.resolve('too late');
      expect(await caller.call('process.1', 'echo', 'next', patience)).toBe('next');
    });

    it('may be many at a time: each gets its own answer, and a slow one holds up nobody', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      const slow = deferred<Json>();
      await server.serve('process.1', { ...echo, slow: () => slow.promise });
      const first = caller.call('process.1', 'slow', null, patience);
      const numbers = Array.from({ length: 200 }, (_, index) => index);
      const answers = await Promise.all(numbers.map((number) => caller.call('process.1', 'echo', number, patience)));
      expect(answers).toEqual(numbers);
      slow.resolve('done');
      expect(await first).toBe('done');
    });

    it('may be made to oneself, and from within a method', async () => {
      await using world = await openWorld();
      const [one, other] = [await world.open(), await world.open()];
      await one.serve('process.1', {
        ask: async (body) => ['through', await one.call('process.2', 'echo', body, patience)],
      });
      await other.serve('process.2', echo);
      expect(await one.call('process.1', 'ask', 'me', patience)).toEqual(['through', 'me']);
    });

    it('to a communicator that closes fail in time', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      const { called } = await serveSilence(server);
      const waiting = codeFrom(caller.call('process.1', 'never', null, { timeout: 2_000 }));
      await called;
      await server[Symbol.asyncDispose]();
      expect(['timed-out', 'broker-lost', 'unroutable']).toContain(await waiting);
      expect(await codeFrom(caller.call('process.1', 'never', null, patience))).toBe('unroutable');
    });

    it.skipIf(!abilities.elsewhere)('reach another program and its errors come back', async () => {
      await using world = await openWorld();
      const caller = await world.open();
      await using other = await startElsewhere(world.elsewhere);
      await other.ask({ serve: 'process.1' });
      expect(await caller.call('process.1', 'echo', { over: 'there' }, patience)).toEqual({ over: 'there' });
      const failure = await failureFrom(caller.call('process.1', 'fail', 'broken', patience));
      expect(failure).toMatchObject({ code: 'internal', message: 'broken' });
      await caller.serve('process.2', echo);
      expect(await other.ask({ call: { recipient: 'process.2', method: 'echo', body: [1] } })).toEqual([1]);
    });

    it.skipIf(!abilities.elsewhere)('to a program that is killed fail in time', async () => {
      await using world = await openWorld();
      const caller = await world.open();
      await using other = await startElsewhere(world.elsewhere);
      await other.ask({ serve: 'process.1' });
      let code = '';
      const took = millisecondsOf(async () => {
        code = await codeFrom(caller.call('process.1', 'never', 'called', { timeout: 3_000 }));
      });
      expect(await other.heard()).toBe('called');
      await other.kill();
      expect(await took).toBeLessThan(10_000);
      expect(['timed-out', 'broker-lost', 'unroutable']).toContain(code);
    });
  });

  describe('addresses', () => {
    it('are answered to by one only', async () => {
      await using world = await openWorld();
      const [one, other] = [await world.open(), await world.open()];
      const served = await one.serve('worker.1', { who: () => 'one' });
      expect(await codeFrom(other.serve('worker.1', { who: () => 'other' }))).toBe('name-taken');
      expect(await codeFrom(one.serve('worker.1', { who: () => 'again' }))).toBe('name-taken');
      expect(await other.call('worker.1', 'who', null, patience)).toBe('one');
      await served[Symbol.asyncDispose]();
      await other.serve('worker.1', { who: () => 'other' });
      expect(await one.call('worker.1', 'who', null, patience)).toBe('other');
    });

    it('go to one of those who ask for them at the same time', async () => {
      await using world = await openWorld();
      const communicators = await Promise.all(Array.from({ length: 4 }, () => world.open()));
      for (let round = 0; round < 5; round++) {
        const asked = communicators.flatMap((communicator) => [communicator, communicator]);
        const outcomes = await Promise.allSettled(
          asked.map((communicator) => communicator.serve(`worker.${round}`, echo)),
        );
        expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1);
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'name-taken' });
        }
      }
    });

    it('are free again when they are given up or their owner closes', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      const served = await server.serve('worker.1', echo);
      await served[Symbol.asyncDispose]();
      await served[Symbol.asyncDispose]();
      expect(await codeFrom(caller.call('worker.1', 'echo', null, patience))).toBe('unroutable');
      await server.serve('worker.1', { new: () => 'served again' });
      expect(await caller.call('worker.1', 'new', null, patience)).toBe('served again');
      await server[Symbol.asyncDispose]();
      await caller.serve('worker.1', echo);
      expect(await caller.call('worker.1', 'echo', 1, patience)).toBe(1);
    });

    it('may be several of one communicator, each with its own methods', async () => {
      await using world = await openWorld();
      const [caller, server] = [await world.open(), await world.open()];
      const served: AsyncDisposable[] = [];
      for (let number = 0; number < 30; number++) {
        served.push(await server.serve(`process.${number}`, { number: () => number }));
      }
      await served[4]?.[Symbol.asyncDispose]();
      const ask = (number: number) => caller.call(`process.${number}`, 'number', null, patience);
      expect(await Promise.all([ask(0), ask(3), ask(29)])).toEqual([0, 3, 29]);
      expect(await codeFrom(ask(4))).toBe('unroutable');
    });

    it('of one profile are not those of another', async () => {
      await using world = await openWorld();
      await using other = await openWorld();
      const [here, there] = [await world.open(), await other.open()];
      await here.serve('worker.1', { where: () => 'here' });
      await there.serve('worker.1', { where: () => 'there' });
      expect(await here.call('worker.1', 'where', null, patience)).toBe('here');
    });
  });
}
