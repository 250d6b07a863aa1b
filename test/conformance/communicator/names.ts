import { describe, expect, it } from 'vitest';
import type { Address, Communicator, Json } from '../../../src/broker/communicator.js';
import { until } from '../../rigs/until.js';
import { ample, codeFrom, type OpenWorld } from './world.js';

/** Names and bodies that cannot be sent. */
export function nameConformance(openWorld: OpenWorld): void {
  const patience = { timeout: ample };
  const long = 'x'.repeat(300);

  describe('what cannot be sent is refused', () => {
    const uses: Record<string, (communicator: Communicator, name: string) => Promise<unknown>> = {
      'the name of a queue': (communicator, name) => communicator.sendTask(name, null),
      'the name of a queue to take from': (communicator, name) => communicator.takeTasks(name, { prefetch: 1 }),
      'the name of a queue to look at': (communicator, name) => communicator.queueStatus(name),
      'an address to call': (communicator, name) => communicator.call(name as Address, 'echo', null, patience),
      'an address to serve': (communicator, name) => communicator.serve(name as Address, {}),
      'a subject': (communicator, name) => communicator.broadcast(name),
      'a sender': (communicator, name) => communicator.broadcast('news', { sender: name as Address }),
      'a pattern of subjects': (communicator, name) => communicator.listen([{ subject: name }], () => undefined),
      'a pattern of senders': (communicator, name) => communicator.listen([{ sender: name }], () => undefined),
    };
    it.each(Object.keys(uses))('%s', async (use) => {
      await using world = await openWorld();
      const communicator = await world.open();
      const bad = ['', '.', 'a.', '.a', 'a..b', 'a b', 'a.b ', 'a.ü', 'a/b', 'a.b\n', 'a.**', long, `a.${long}`];
      for (const name of bad) {
        expect([name, await codeFrom(uses[use]?.(communicator, name) ?? Promise.resolve())]).toEqual([
          name,
          'message-refused',
        ]);
      }
    });

    it('patterns where a name is asked for', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      expect(await codeFrom(communicator.broadcast('news.*'))).toBe('message-refused');
      expect(await codeFrom(communicator.broadcast('news', { sender: 'process.*' }))).toBe('message-refused');
      expect(await codeFrom(communicator.serve('process.*', {}))).toBe('message-refused');
      expect(await codeFrom(communicator.call('process.#', 'echo', null, patience))).toBe('message-refused');
      expect(await codeFrom(communicator.listen([{ sender: 'process.#' }], () => undefined))).toBe('message-refused');
      expect(await codeFrom(communicator.sendTask('*', null))).toBe('message-refused');
    });

    const circle: { self?: unknown } = {};
    circle.self = circle;
    it.each<[string, unknown]>([
      ['a bigint', { number: 1n }],
      ['a circle', circle],
      ['a function', () => undefined],
      ['a symbol', Symbol('s')],
    ])('%s as a body', async (_, value) => {
      await using world = await openWorld();
      const communicator = await world.open();
      const body = value as Json;
      const heard: Json[] = [];
      await communicator.listen([{}], (broadcast) => heard.push(broadcast.body));
      await communicator.serve('process.1', { give: () => body, echo: (given) => given });
      expect(await codeFrom(communicator.sendTask('work', body))).toBe('message-refused');
      expect(await codeFrom(communicator.callTask('work', body, patience))).toBe('message-refused');
      expect(await codeFrom(communicator.call('process.1', 'echo', body, patience))).toBe('message-refused');
      expect(await codeFrom(communicator.call('process.1', 'give', null, patience))).toBe('message-refused');
      expect(await codeFrom(communicator.broadcast('news', { body }))).toBe('message-refused');
      await communicator.broadcast('news', { body: 'good' });
      await until(() => heard.length > 0, { what: 'the good broadcast', timeout: ample });
      expect(heard).toEqual(['good']);
      expect((await communicator.queueStatus('work')).waiting).toBe(0);
    });

    it('a body of more than 8 MiB; one that is no larger arrives', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      await communicator.serve('process.1', { length: (body) => String(body).length, give: (body) => `${body}x` });
      // As JSON it has two quotes around it.
      const largest = 'x'.repeat(8 * 1024 * 1024 - 2);
      expect(await communicator.call('process.1', 'length', largest, patience)).toBe(largest.length);
      expect(await codeFrom(communicator.call('process.1', 'length', `${largest}x`, patience))).toBe('message-refused');
      expect(await codeFrom(communicator.call('process.1', 'give', largest, patience))).toBe('message-refused');
      expect(await codeFrom(communicator.sendTask('work', `${largest}x`))).toBe('message-refused');
      expect(await codeFrom(communicator.broadcast('news', { body: `${largest}x` }))).toBe('message-refused');
      expect((await communicator.queueStatus('work')).waiting).toBe(0);
    });

    it('but names of letters, digits, _ and - are fine', async () => {
      await using world = await openWorld();
      const communicator = await world.open();
      const heard: string[] = [];
      await communicator.listen([{ sender: 'Kind_1.*' }], ({ subject }) => heard.push(subject));
      await communicator.serve('Kind_1.a-b_C-9', { echo: (body) => body });
      expect(await communicator.call('Kind_1.a-b_C-9', 'echo', 1, patience)).toBe(1);
      const subject = 'a.b.c.d.e.f.g.h.i.j-K_1';
      await communicator.broadcast(subject, { sender: 'Kind_1.a-b_C-9' });
      await communicator.sendTask('Queue_1-x', 1);
      await until(() => heard.length === 1, { what: 'the broadcast', timeout: ample });
      expect(heard).toEqual([subject]);
    });
  });
}
