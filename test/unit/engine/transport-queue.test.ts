import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ComputerUnavailable } from '../../../src/engine/computer-unavailable.js';
import type { LoadedComputer } from '../../../src/engine/loaded-computer.js';
import { TransportQueue, type TransportQueueOptions } from '../../../src/engine/transport-queue.js';
import { type ErrorCode, WherryError } from '../../../src/errors.js';
import type { Connection } from '../../../src/plugin/transport.js';
import { until } from '../../rigs/until.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';
import { FakeTransport, loadedComputer } from './fake-computer.js';

const signal = new AbortController().signal;
const options = { timeout: 1000 };
const list = (connection: Connection) => connection.exec('fake-list', options);

function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe('the transport queue', () => {
  let rig: TemporaryStore;
  let transport: FakeTransport;
  let now: () => number;
  const queues: TransportQueue[] = [];

  beforeEach(async () => {
    rig = await temporaryStore();
    transport = new FakeTransport();
    now = Date.now;
  });
  afterEach(async () => {
    await Promise.all(queues.splice(0).map((queue) => queue[Symbol.asyncDispose]()));
    await rig[Symbol.asyncDispose]();
  });

  function newQueue(more: Partial<TransportQueueOptions> = {}): TransportQueue {
    const queue = new TransportQueue({ store: rig.store, now: () => now(), random: () => 0.5, ...more });
    queues.push(queue);
    return queue;
  }
  const computerWith = (limits: Partial<LoadedComputer['limits']> = {}) => loadedComputer(rig.store, transport, limits);
  const row = () => rig.store.selectFrom('computers').selectAll().executeTakeFirstOrThrow();
  const events = async () =>
    (await rig.store.selectFrom('events').select('type').orderBy('id').execute()).map(({ type }) => type);
  const failWith = (code: ErrorCode) => {
    transport.onOpen = async () => {
      throw new WherryError(code, 'no way', { hint: 'look' });
    };
  };

  it('opens one connection for all who ask at once, and keeps it', async () => {
    const computer = await computerWith();
    const queue = newQueue();
    await Promise.all(Array.from({ length: 10 }, () => queue.use(computer, signal, list)));
    await queue.use(computer, signal, list);
    expect(transport.opened).toHaveLength(1);
    expect(queue.isOpen(computer.row.id)).toBe(true);
    expect(await events()).toEqual(['computer.opened']);
  });

  it('never has more uses in progress than maxChannels, and lets all have their turn', async () => {
    const computer = await computerWith({ maxChannels: 3 });
    const queue = newQueue();
    const { open, opened } = gate();
    let inProgress = 0;
    let most = 0;
    const uses = Array.from({ length: 20 }, (_, index) =>
      queue.use(computer, signal, async () => {
        most = Math.max(most, ++inProgress);
        await opened;
        inProgress--;
        return index;
      }),
    );
    await until(() => inProgress === 3, { what: 'three uses at once', interval: 1 });
    open();
    const results = await Promise.all(uses);
    expect(most).toBe(3);
    expect(results).toEqual([...results.keys()]);
  });

  it('lets the more urgent go first', async () => {
    const computer = await computerWith({ maxChannels: 1 });
    const queue = newQueue();
    const order: string[] = [];
    const [started, end] = [gate(), gate()];
    const first = queue.use(computer, signal, async () => {
      started.open();
      await end.opened;
    });
    await started.opened;
    const later = ['five', 'one'].map((name) =>
      queue.use(computer, signal, async () => void order.push(name), name === 'one' ? 1 : 5),
    );
    // Both must stand in the queue, which cannot be seen from here.
    setTimeout(end.open, 30);
    await Promise.all([first, ...later]);
    expect(order).toEqual(['one', 'five']);
  });

  it('passes on what the work gives and throws, and keeps the connection after an error', async () => {
    const computer = await computerWith();
    const queue = newQueue();
    expect(await queue.use(computer, signal, async ({ user }) => user)).toBe('me');
    const failing = queue.use(computer, signal, async () => {
      throw new RangeError('mine');
    });
    await expect(failing).rejects.toThrow(RangeError);
    await queue.use(computer, signal, list);
    expect(transport.opened).toHaveLength(1);
  });

  it('closes an unused connection after the linger, not a used one, and opens a new one later', async () => {
    const computer = await computerWith();
    const queue = newQueue({ linger: 15 });
    const { open, opened } = gate();
    const long = queue.use(computer, signal, () => opened);
    await queue.use(computer, signal, list);
    await new Promise<void>((resolve) => setTimeout(resolve, 40));
    expect(queue.isOpen(computer.row.id)).toBe(true);
    open();
    await long;
    await until(() => transport.cluster.connections[0]?.closed, { what: 'the connection to be closed' });
    expect(queue.isOpen(computer.row.id)).toBe(false);
    await queue.use(computer, signal, list);
    expect(transport.opened).toHaveLength(2);
    expect((await row()).open_failures).toBe(0);
  });

  describe('keeps the safe interval', () => {
    const interval = 80;
    /** When each opening began as the store has it: what comes between that and the transport differs by load. */
    let began: number[];
    const gaps = () => began.slice(1).map((at, index) => at - (began[index] ?? 0));

    beforeEach(() => {
      began = [];
      transport.onOpen = async () => {
        began.push(Number((await row()).opened_at));
        return transport.cluster.connect();
      };
    });

    it('between its own openings', async () => {
      const computer = await computerWith({ safeOpenInterval: interval });
      const queue = newQueue();
      for (let round = 0; round < 3; round++) {
        await queue.use(computer, signal, list);
        await queue.close(computer.row.id);
      }
      expect(Math.min(...gaps())).toBeGreaterThanOrEqual(interval - 2);
    });

    it('after an opening that another driver wrote down', async () => {
      const computer = await computerWith({ safeOpenInterval: interval });
      const at = Date.now();
      await rig.store.updateTable('computers').set({ opened_at: at }).execute();
      await newQueue().use(computer, signal, list);
      expect((began[0] ?? 0) - at).toBeGreaterThanOrEqual(interval - 2);
    });

    it('among several queues that want to open at the same moment', async () => {
      const computer = await computerWith({ safeOpenInterval: interval });
      await Promise.all([newQueue(), newQueue(), newQueue()].map((queue) => queue.use(computer, signal, list)));
      expect(transport.opened).toHaveLength(3);
      expect(Math.min(...gaps())).toBeGreaterThanOrEqual(interval - 2);
    });

    it('but does not wait for hours when the clock was set back', async () => {
      const computer = await computerWith({ safeOpenInterval: interval });
      await rig.store
        .updateTable('computers')
        .set({ opened_at: Date.now() + 86_400_000 })
        .execute();
      await newQueue().use(computer, signal, list);
      expect(transport.opened).toHaveLength(1);
    });
  });

  it('is unavailable when an opening fails, for everybody who waits, with one event', async () => {
    const computer = await computerWith();
    const queue = newQueue();
    const { open, opened } = gate();
    transport.onOpen = async () => {
      await opened;
      throw new WherryError('connection-failed', 'no way');
    };
    setTimeout(open, 30);
    const uses = await Promise.allSettled(Array.from({ length: 4 }, () => queue.use(computer, signal, list)));
    for (const use of uses) {
      expect(use).toMatchObject({
        reason: { name: 'ComputerUnavailable', code: 'connection-failed', transient: true },
      });
      expect(use.status === 'rejected' && use.reason).toBeInstanceOf(ComputerUnavailable);
    }
    expect(transport.opened).toHaveLength(1);
    expect(await events()).toEqual(['computer.open-failed']);
  });

  it('leaves a computer that cannot be reached alone for a growing time, up to ten minutes', async () => {
    let at = 1_000_000;
    now = () => at;
    const computer = await computerWith();
    const queue = newQueue();
    failWith('connection-failed');
    const waits: number[] = [];
    for (let round = 0; round < 8; round++) {
      await expect(queue.use(computer, signal, list)).rejects.toThrow(ComputerUnavailable);
      const after = Number((await row()).open_after);
      waits.push(after - at);
      at = after;
    }
    expect(waits).toEqual([20, 40, 80, 160, 320, 600, 600, 600].map((seconds) => seconds * 1000));
    transport.onOpen = () => undefined;
    await queue.use(computer, signal, list);
    expect(await row()).toMatchObject({ open_failures: 0, open_after: null });
  });

  it('makes no further try before its time, even when asked', async () => {
    const computer = await computerWith();
    const after = Date.now() + 70;
    await rig.store.updateTable('computers').set({ open_after: after, open_failures: 1 }).execute();
    await newQueue().use(computer, signal, list);
    expect(transport.opened[0]).toBeGreaterThanOrEqual(after - 2);
  });

  it.each(['authentication-refused', 'host-key-unknown', 'host-key-changed'] as const)(
    'holds the computer after %s and never tries again by itself, whichever queue is asked',
    async (code) => {
      const computer = await computerWith();
      failWith(code);
      await expect(newQueue().use(computer, signal, list)).rejects.toMatchObject({ code });
      expect(JSON.parse((await row()).hold ?? '')).toMatchObject({ code, message: 'no way', hint: 'look' });
      transport.onOpen = () => undefined;
      await expect(newQueue().use(computer, signal, list)).rejects.toMatchObject({
        name: 'ComputerUnavailable',
        code,
        hint: expect.stringContaining('wherry computer test fake'),
      });
      expect(transport.opened).toHaveLength(1);
      expect(await events()).toEqual(['computer.held']);
      await rig.store.updateTable('computers').set({ hold: null }).execute();
      await newQueue().use(computer, signal, list);
      expect(transport.opened).toHaveLength(2);
    },
  );

  it('does not open a computer that was held while it waited for its turn', async () => {
    const computer = await computerWith({ safeOpenInterval: 60 });
    await rig.store.updateTable('computers').set({ opened_at: Date.now() }).execute();
    const waiting = newQueue().use(computer, signal, list);
    const hold = JSON.stringify({ code: 'authentication-refused', message: 'no' });
    await rig.store.updateTable('computers').set({ hold }).execute();
    await expect(waiting).rejects.toMatchObject({ code: 'authentication-refused' });
    expect(transport.opened).toEqual([]);
  });

  describe('when the connection is lost', () => {
    async function usersOf(queue: TransportQueue, computer: LoadedComputer, count: number) {
      const started = Array.from({ length: count }, gate);
      const { open, opened } = gate();
      const uses = started.map((start) =>
        queue.use(computer, signal, async (connection) => {
          start.open();
          await opened;
          return list(connection);
        }),
      );
      await Promise.all(started.map((start) => start.opened));
      return { uses, release: open };
    }

    it('opens one new one for all its users, and counts one failure', async () => {
      const computer = await computerWith();
      const queue = newQueue();
      const { uses, release } = await usersOf(queue, computer, 4);
      transport.cluster.connections[0]?.lose();
      release();
      for (const use of await Promise.allSettled(uses))
        expect(use).toMatchObject({ reason: { code: 'connection-lost' } });
      expect(await row()).toMatchObject({ open_failures: 1, open_after: null });
      await Promise.all(Array.from({ length: 4 }, () => queue.use(computer, signal, list)));
      expect(transport.opened).toHaveLength(2);
      expect(transport.cluster.connections[0]?.closed).toBe(true);
      expect(await events()).toEqual(['computer.opened', 'computer.closed', 'computer.opened']);
      expect(await row()).toMatchObject({ open_failures: 0 });
    });

    it('tells it even when a new user comes before the old ones have noticed', async () => {
      const computer = await computerWith();
      const queue = newQueue();
      const { uses, release } = await usersOf(queue, computer, 2);
      transport.cluster.connections[0]?.lose();
      await queue.use(computer, signal, list);
      release();
      await Promise.allSettled(uses);
      expect(await events()).toEqual(['computer.opened', 'computer.closed', 'computer.opened']);
      expect(transport.cluster.connections[0]?.closed).toBe(true);
      expect(queue.isOpen(computer.row.id)).toBe(true);
    });

    it('waits before the next opening when it is lost again and again', async () => {
      let at = 1_000_000;
      now = () => at;
      const computer = await computerWith();
      const queue = newQueue();
      const waits: (number | null)[] = [];
      for (let round = 0; round < 4; round++) {
        const { uses, release } = await usersOf(queue, computer, 1);
        transport.cluster.connections.at(-1)?.lose();
        release();
        await Promise.allSettled(uses);
        const after = (await row()).open_after;
        waits.push(after === null ? null : Number(after) - at);
        at = Number(after ?? at);
      }
      expect(waits).toEqual([null, 20_000, 40_000, 80_000]);
    });
  });

  describe('when it is closed', () => {
    it('during an opening leaves no connection open', async () => {
      const computer = await computerWith();
      const queue = newQueue();
      const { open, opened } = gate();
      transport.onOpen = () => opened.then(() => transport.cluster.connect());
      const use = queue.use(computer, signal, list).catch((error: unknown) => error);
      await until(() => transport.opened.length === 1, { what: 'the opening', interval: 1 });
      const closing = queue.close(computer.row.id);
      open();
      await closing;
      expect(await use).toBeInstanceOf(WherryError);
      expect(transport.cluster.connections.map(({ closed }) => closed)).toEqual([true]);
      expect(queue.isOpen(computer.row.id)).toBe(false);
    });

    it('during the wait for the safe interval opens nothing', async () => {
      const computer = await computerWith({ safeOpenInterval: 60_000 });
      await rig.store.updateTable('computers').set({ opened_at: Date.now() }).execute();
      const queue = newQueue();
      const use = queue.use(computer, signal, list).catch((error: unknown) => error);
      await new Promise<void>((resolve) => setImmediate(resolve));
      await queue.close(computer.row.id);
      expect(await use).toBeInstanceOf(ComputerUnavailable);
      expect(transport.opened).toEqual([]);
      expect((await row()).open_failures).toBe(0);
    });

    it('opens nothing for those who still stood in the queue', async () => {
      const computer = await computerWith({ maxChannels: 1 });
      const queue = newQueue();
      const { open, opened } = gate();
      const uses = [
        queue.use(computer, signal, async (connection) => {
          await opened;
          return list(connection);
        }),
        queue.use(computer, signal, list),
      ];
      await until(() => transport.opened.length === 1, { what: 'the opening', interval: 1 });
      const settled = Promise.allSettled(uses);
      await queue.close(computer.row.id);
      open();
      expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(transport.opened).toHaveLength(1);
      expect(transport.cluster.connections.map(({ closed }) => closed)).toEqual([true]);
      expect(await events()).toEqual(['computer.opened', 'computer.closed']);
    });

    it('can be used again', async () => {
      const computer = await computerWith();
      const queue = newQueue();
      await queue.use(computer, signal, list);
      await queue.close(computer.row.id);
      await queue.use(computer, signal, list);
      expect(transport.opened).toHaveLength(2);
    });
  });

  it('lets one who waits go at once when it is stopped, with its own reason, and opens for the others', async () => {
    const computer = await computerWith();
    const queue = newQueue();
    const { open, opened } = gate();
    transport.onOpen = () => opened.then(() => transport.cluster.connect());
    const abort = new AbortController();
    const stopped = queue.use(computer, abort.signal, list);
    const other = queue.use(computer, signal, list);
    const reason = new WherryError('aborted', 'killed');
    await until(() => transport.opened.length === 1, { what: 'the opening', interval: 1 });
    abort.abort(reason);
    await expect(stopped).rejects.toBe(reason);
    open();
    await other;
    expect(transport.opened).toHaveLength(1);
  });

  it('does no work for one who was stopped while it stood in the queue', async () => {
    const computer = await computerWith({ maxChannels: 1 });
    const queue = newQueue();
    const { open, opened } = gate();
    const first = queue.use(computer, signal, () => opened);
    const abort = new AbortController();
    let worked = false;
    const second = queue.use(computer, abort.signal, async () => {
      worked = true;
    });
    abort.abort(new WherryError('aborted', 'killed'));
    open();
    await first;
    await expect(second).rejects.toMatchObject({ code: 'aborted' });
    expect(worked).toBe(false);
  });
});
