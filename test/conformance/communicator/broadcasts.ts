import { describe, expect, it } from 'vitest';
import type { Broadcast, BroadcastFilter, Communicator } from '../../../src/broker/communicator.js';
import { until } from '../../rigs/until.js';
import { ample, type OpenWorld } from './world.js';

type Filters = readonly [BroadcastFilter, ...BroadcastFilter[]];

/** What `broadcast` and `listen` promise. */
export function broadcastConformance(openWorld: OpenWorld): void {
  /** Listens; `subjects` waits until the last broadcast of `sender` has come and gives all that came before. */
  async function ears(communicator: Communicator, filters: Filters) {
    const heard: Broadcast[] = [];
    const listening = await communicator.listen([...filters, { subject: 'the.end' }], (broadcast) => {
      heard.push(broadcast);
    });
    const all = async (sender: Communicator) => {
      await sender.broadcast('the.end');
      const ended = () => heard.some(({ subject }) => subject === 'the.end');
      await until(ended, { what: 'the last broadcast', timeout: ample });
      return heard.splice(0).filter(({ subject }) => subject !== 'the.end');
    };
    const subjects = async (sender: Communicator) => (await all(sender)).map(({ subject }) => subject);
    return { all, subjects, [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose]() };
  }

  describe('broadcasts', () => {
    it('come with all that they were sent with', async () => {
      await using world = await openWorld();
      const [sender, listener] = [await world.open(), await world.open()];
      const heard = await ears(listener, [{}]);
      const body = { from: 'running', to: ['finished', 0, null] };
      await sender.broadcast('state.calcjob', { sender: 'process.17', body, correlationId: 'run 4' });
      await sender.broadcast('plain');
      expect(await heard.all(sender)).toEqual([
        { subject: 'state.calcjob', sender: 'process.17', body, correlationId: 'run 4' },
        { subject: 'plain', sender: null, body: null, correlationId: null },
      ]);
    });

    it('come to everybody who listens, oneself too, in the order in which they were sent', async () => {
      await using world = await openWorld();
      const [sender, listener] = [await world.open(), await world.open()];
      const all = [await ears(sender, [{}]), await ears(listener, [{}]), await ears(listener, [{}])];
      const subjects = Array.from({ length: 100 }, (_, index) => `number.${index}`);
      for (const subject of subjects) await sender.broadcast(subject);
      for (const heard of all) expect(await heard.subjects(sender)).toEqual(subjects);
    });

    it('need no listener', async () => {
      await using world = await openWorld();
      const [sender, listener] = [await world.open(), await world.open()];
      await sender.broadcast('state.calcjob.running', { body: 'unheard' });
      const heard = await ears(listener, [{}]);
      expect(await heard.subjects(sender)).toEqual([]);
    });

    it('carry a megabyte', async () => {
      await using world = await openWorld();
      const [sender, listener] = [await world.open(), await world.open()];
      const heard = await ears(listener, [{ subject: 'large' }]);
      const body = 'Grüße, 世界 🚢 '.repeat(50_000);
      await sender.broadcast('large', { body });
      expect((await heard.all(sender))[0]?.body).toBe(body);
    });

    const subjects = [
      'state',
      'state.calcjob',
      'state.calcjob.running.finished',
      'state.workflow.running.finished',
      'state.calcjob.running.killed',
      'pause.calcjob',
      'states.calcjob',
    ];
    it.each<[string, string[]]>([
      ['state', ['state']],
      ['state.calcjob.running.finished', ['state.calcjob.running.finished']],
      ['state.*', ['state.calcjob']],
      ['*.calcjob', ['state.calcjob', 'pause.calcjob', 'states.calcjob']],
      ['state.*.running.finished', ['state.calcjob.running.finished', 'state.workflow.running.finished']],
      ['*', ['state']],
      ['state.#', subjects.slice(0, 5)],
      ['#.finished', ['state.calcjob.running.finished', 'state.workflow.running.finished']],
      ['#.calcjob.#', subjects.filter((subject) => subject.includes('calcjob'))],
      ['state.#.running.*', subjects.slice(2, 5)],
      ['#', subjects],
    ])('are chosen by the subject %s', async (pattern, expected) => {
      await using world = await openWorld();
      const [sender, listener] = [await world.open(), await world.open()];
      const heard = await ears(listener, [{ subject: pattern }]);
      for (const subject of subjects) await sender.broadcast(subject, { sender: 'process.1' });
      expect((await heard.subjects(sender)).filter((subject) => subject !== 'the.end')).toEqual(expected);
    });

    it.each<[string, string[]]>([
      ['process.1', ['by.process.1']],
      ['process.*', ['by.process.1', 'by.process.2']],
      ['*.1', ['by.process.1', 'by.worker.1']],
      ['*.*', ['by.process.1', 'by.process.2', 'by.worker.1']],
    ])('are chosen by the sender %s, and never when they have none', async (pattern, expected) => {
      await using world = await openWorld();
      const [sender, listener] = [await world.open(), await world.open()];
      const heard = await ears(listener, [{ sender: pattern }]);
      for (const name of ['process.1', 'process.2', 'worker.1'] as const) {
        await sender.broadcast(`by.${name}`, { sender: name });
      }
      await sender.broadcast('by.nobody');
      expect(await heard.subjects(sender)).toEqual(expected);
    });

    it('are chosen by subject and sender together', async () => {
      await using world = await openWorld();
      const [sender, listener] = [await world.open(), await world.open()];
      const heard = await ears(listener, [{ subject: 'state.*', sender: 'process.1' }]);
      await sender.broadcast('state.other', { sender: 'process.2' });
      await sender.broadcast('pause.mine', { sender: 'process.1' });
      await sender.broadcast('state.nobody');
      await sender.broadcast('state.mine', { sender: 'process.1' });
      expect(await heard.subjects(sender)).toEqual(['state.mine']);
    });

    it('that several filters match are heard once; one that any matches is heard', async () => {
      await using world = await openWorld();
      const [sender, listener] = [await world.open(), await world.open()];
      const heard = await ears(listener, [{ subject: 'state.#' }, { subject: 'state.*' }, { sender: 'process.1' }]);
      await sender.broadcast('state.all', { sender: 'process.1' });
      await sender.broadcast('state.first.only');
      await sender.broadcast('pause', { sender: 'process.1' });
      await sender.broadcast('pause', { sender: 'process.2' });
      expect(await heard.subjects(sender)).toEqual(['state.all', 'state.first.only', 'pause']);
    });

    it('are heard no more by whoever has gone, and again by whoever comes back; others hear on', async () => {
      await using world = await openWorld();
      const [sender, listener] = [await world.open(), await world.open()];
      const gone: string[] = [];
      const listen = () => listener.listen([{ subject: 'state.*' }], ({ subject }) => gone.push(subject));
      const others = await ears(listener, [{ subject: 'state.*' }]);
      const listening = await listen();
      await sender.broadcast('state.one');
      await until(() => gone.length === 1, { what: 'the first broadcast', timeout: ample });
      await listening[Symbol.asyncDispose]();
      await listening[Symbol.asyncDispose]();
      await sender.broadcast('state.two');
      expect(await others.subjects(sender)).toEqual(['state.one', 'state.two']);
      await listen();
      await sender.broadcast('state.three');
      await until(() => gone.length === 2, { what: 'the third broadcast', timeout: ample });
      expect(gone).toEqual(['state.one', 'state.three']);
      expect(await others.subjects(sender)).toEqual(['state.three']);
    });

    it('harm nobody when a listener throws, and the problem is told', async () => {
      await using world = await openWorld();
      const problems: unknown[] = [];
      const [sender, listener] = [await world.open(), await world.open({ onProblem: (error) => problems.push(error) })];
      const thrown = new Error('cannot hear');
      await listener.listen([{ subject: 'loud' }], () => {
        throw thrown;
      });
      const heard = await ears(listener, [{}]);
      await sender.broadcast('loud');
      await sender.broadcast('loud');
      expect(await heard.subjects(sender)).toEqual(['loud', 'loud']);
      await until(() => problems.length === 2, { what: 'both problems', timeout: ample });
      expect(problems).toEqual([thrown, thrown]);
    });

    it('of one profile are not heard in another', async () => {
      await using world = await openWorld();
      await using other = await openWorld();
      const [here, there] = [await world.open(), await other.open()];
      const heard = await ears(here, [{}]);
      await there.broadcast('there');
      await here.broadcast('here');
      expect(await heard.subjects(here)).toEqual(['here']);
    });
  });
}
