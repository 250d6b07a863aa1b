import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openAmqp } from '../../../src/broker/amqp/index.js';
import type { Communicator, CommunicatorOptions, Json } from '../../../src/broker/communicator.js';
import { ample, codeFrom, deferred, failureFrom } from '../../conformance/communicator/world.js';
import { type Rabbitmq, startRabbitmq } from '../../rigs/rabbitmq.js';
import { until } from '../../rigs/until.js';

/** A broker that is restarted, killed, frozen or blocked in the middle. */
describe('a broker in trouble', () => {
  const patience = { timeout: 60_000 };
  let broker: Rabbitmq;
  let prefix: string;
  beforeAll(async () => {
    broker = await startRabbitmq();
  });
  afterAll(() => broker[Symbol.asyncDispose]());
  beforeEach(() => {
    prefix = `wherry.${randomUUID()}`;
  });

  const open = (options: CommunicatorOptions & { readonly heartbeat?: number } = {}) =>
    openAmqp({ url: broker.url, prefix, ...options });

  /** A communicator with a method, an ear and an intake, and a check that all of them work. */
  async function busy(communicator: Communicator) {
    const heard: Json[] = [];
    const taken: Json[] = [];
    await communicator.serve('process.1', {
      echo: (body) => body,
      never: () => new Promise<Json>(() => undefined),
    });
    await communicator.listen([{ subject: 'news' }], ({ body }) => heard.push(body));
    const intake = await communicator.takeTasks('work', { prefetch: 4 });
    const loop = (async () => {
      for await (const task of intake) {
        taken.push(task.body);
        await task.accept().catch(() => undefined);
      }
    })();
    loop.catch(() => undefined);
    return {
      taken,
      async expectToWork(mark: string) {
        await until(() => communicator.connected, { what: 'a connection', timeout: ample });
        expect(await communicator.call('process.1', 'echo', mark, patience)).toBe(mark);
        await communicator.broadcast('news', { body: mark });
        await communicator.sendTask('work', mark);
        await until(() => heard.includes(mark) && taken.includes(mark), { what: `all of ${mark}`, timeout: ample });
      },
    };
  }

  it('that restarts fails calls at once, keeps tasks, and everything goes on', async () => {
    const problems: unknown[] = [];
    await using communicator = await open({ onProblem: (error) => problems.push(error) });
    const all = await busy(communicator);
    await communicator.sendTask('other', 'kept', { id: 'kept' });
    const waiting = failureFrom(communicator.call('process.1', 'never', null, { timeout: 600_000 }));
    await all.expectToWork('before');
    await broker.stop();
    expect(await waiting).toMatchObject({ code: 'broker-lost', transient: true });
    expect(communicator.connected).toBe(false);
    // What is sent meanwhile waits for the broker to come.
    await broker.start();
    await all.expectToWork('after');
    await using intake = await communicator.takeTasks('other', { prefetch: 1 });
    await using task = await intake.next();
    expect(task).toMatchObject({ id: 'kept', attempt: 1 });
    await task.accept();
    expect(problems).toContainEqual(expect.objectContaining({ code: 'broker-lost' }));
  });

  it('that is away: what is sent waits for it, until its time is over', async () => {
    await using communicator = await open({ patience: 60_000 });
    await using hasty = await open({ patience: 300 });
    await communicator.sendTask('work', 'first');
    await broker.stop();
    expect(await codeFrom(hasty.sendTask('work', 'lost'))).toBe('broker-unavailable');
    expect(await codeFrom(hasty.broadcast('news'))).toBe('broker-unavailable');
    expect(await codeFrom(hasty.call('process.1', 'echo', null, { timeout: 300 }))).toBe('broker-unavailable');
    expect(await codeFrom(hasty.serve('process.1', {}))).toBe('broker-unavailable');
    const sending = [communicator.sendTask('work', 'second'), communicator.broadcast('news')];
    const calling = codeFrom(communicator.call('process.1', 'echo', null, patience));
    await broker.start();
    await Promise.all(sending);
    expect(await calling).toBe('unroutable');
    await using intake = await communicator.takeTasks('work', { prefetch: 1 });
    const bodies: Json[] = [];
    for (let number = 0; number < 2; number++) {
      await using task = await intake.next();
      bodies.push(task.body);
      await task.accept();
    }
    expect(bodies).toEqual(['first', 'second']);
  });

  it('that is killed while tasks are sent keeps every one that was reported as sent', async () => {
    await using communicator = await open({ patience: 60_000 });
    const sent: string[] = [];
    let sending = true;
    const loop = async (name: string) => {
      for (let number = 0; sending; number++) {
        const id = `${name}-${number}`;
        await communicator.sendTask('work', null, { id });
        sent.push(id);
      }
    };
    const loops = ['a', 'b', 'c', 'd'].map((name) => loop(name));
    await until(() => sent.length > 50, { what: 'tasks that are sent', timeout: ample });
    await broker.kill();
    await broker.start();
    await until(() => communicator.connected, { what: 'a connection', timeout: ample });
    sending = false;
    await Promise.all(loops);
    const seen = new Set<string>();
    await using intake = await communicator.takeTasks('work', { prefetch: 100 });
    while (sent.some((id) => !seen.has(id))) {
      await using task = await intake.next({ signal: AbortSignal.timeout(ample) });
      seen.add(task.id);
      await task.accept();
    }
    expect(seen.size).toBe(sent.length);
  });

  it('that hangs is noticed by its silence; closing does not wait for it', async () => {
    const lively = await open({ heartbeat: 1, patience: 60_000 });
    const all = await busy(lively);
    await all.expectToWork('before');
    const closing = await open();
    await closing.takeTasks('work', { prefetch: 1 });
    const calling = codeFrom(closing.call('process.1', 'never', null, { timeout: 600_000 }));
    await delay(50);
    broker.freeze();
    try {
      const began = performance.now();
      await closing[Symbol.asyncDispose]();
      expect(performance.now() - began).toBeLessThan(5_000);
      expect(await calling).toBe('communicator-closed');
      expect(await codeFrom(lively.call('process.1', 'echo', 1, { timeout: 500 }))).toMatch(
        /timed-out|unavailable|lost/,
      );
      await until(() => !lively.connected, { what: 'the connection given up', timeout: ample });
      expect(await codeFrom(openAmqp({ url: broker.url, prefix, patience: 500 }))).toBe('broker-unavailable');
    } finally {
      broker.thaw();
    }
    await all.expectToWork('after');
    await lively[Symbol.asyncDispose]();
  });

  it('that blocks who publishes makes them wait, no longer than they will', async () => {
    await using patient = await open({ patience: 60_000 });
    await using hasty = await open({ patience: 300 });
    const blocked = await open({ patience: 60_000 });
    await patient.sendTask('work', 'before');
    await hasty.sendTask('work', 'before');
    await broker.block(true);
    let done = false;
    const waiting = patient.sendTask('work', 'after').then(() => {
      done = true;
    });
    const failing = codeFrom(blocked.sendTask('work', 'never'));
    expect(await failureFrom(hasty.sendTask('work', 'hasty'))).toMatchObject({
      code: 'broker-unavailable',
      transient: true,
    });
    expect(await codeFrom(hasty.call('process.1', 'echo', null, { timeout: 300 }))).toBe('broker-unavailable');
    expect(done).toBe(false);
    const began = performance.now();
    await blocked[Symbol.asyncDispose]();
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(await failing).toBe('communicator-closed');
    await broker.block(false);
    await waiting;
  });

  it('whose operator closes all connections is connected to again', async () => {
    await using communicator = await open();
    const all = await busy(communicator);
    let told = 0;
    communicator.onReconnected(() => {
      told++;
    });
    await broker.closeConnections('maintenance');
    await until(() => told === 1, { what: 'another connection', timeout: ample });
    await all.expectToWork('after');
  });

  it('whose operator deletes queues gets them again', async () => {
    await using communicator = await open();
    const all = await busy(communicator);
    await all.expectToWork('before');
    for (const kind of ['tasks', 'parked']) await broker.control('delete_queue', `${prefix}.${kind}.work`);
    await all.expectToWork('after');
    await communicator.sendTask('other', 1);
    await broker.control('delete_queue', `${prefix}.tasks.other`);
    await communicator.sendTask('other', 2);
    expect((await communicator.queueStatus('other')).waiting).toBe(1);
    await broker.control('delete_queue', `${prefix}.tasks.other`);
    expect(await codeFrom(communicator.callTask('other', 3, { timeout: 500 }))).toBe('timed-out');
  });

  it('that comes later is waited for when one is told to', async () => {
    await broker.stop();
    const problems: { code?: string }[] = [];
    await using communicator = await openAmqp({
      ...{ url: broker.url, prefix, waitForBroker: true, patience: 200 },
      onProblem: (error) => problems.push(error as { code?: string }),
    });
    expect(communicator.connected).toBe(false);
    let told = 0;
    communicator.onReconnected(() => {
      told++;
    });
    expect(await codeFrom(communicator.serve('process.1', {}))).toBe('broker-unavailable');
    await until(() => problems.length > 0, { what: 'the problem told', timeout: ample });
    await delay(1_000);
    expect(problems.map(({ code }) => code)).toEqual(['broker-unavailable']);
    await broker.start();
    await until(() => told === 1 && communicator.connected, { what: 'a connection', timeout: ample });
    await communicator.serve('process.1', { echo: (body) => body });
    expect(await communicator.call('process.1', 'echo', 1, patience)).toBe(1);
  });

  it('that never comes does not keep us from closing', async () => {
    await broker.stop();
    const communicator = await openAmqp({ url: broker.url, prefix, waitForBroker: true });
    const calling = codeFrom(communicator.call('process.1', 'echo', 1, patience));
    const began = performance.now();
    await communicator[Symbol.asyncDispose]();
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(await calling).toBe('communicator-closed');
    await broker.start();
  });

  it('whose policy bounds a queue refuses what is too much', async () => {
    await using communicator = await open();
    await communicator.sendTask('work', 1);
    const definition = JSON.stringify({ 'max-length': 1, overflow: 'reject-publish' });
    await broker.control('set_policy', '--apply-to', 'queues', 'bound', `^${prefix}\\.tasks\\.work$`, definition);
    const refused = async () => {
      const codes = await Promise.allSettled([communicator.sendTask('work', 2)]);
      return codes[0]?.status === 'rejected' ? codes[0].reason : undefined;
    };
    const error = await until(refused, { what: 'a task refused', timeout: ample });
    expect(error).toMatchObject({ code: 'broker-unavailable', transient: true });
    await broker.control('clear_policy', 'bound');
  });

  it('is told nothing more by a communicator that could not be opened', async () => {
    const connections = async () => (await broker.control('list_connections', 'pid')).trim().split('\n').length;
    const before = await connections();
    await expect(openAmqp({ url: `${broker.url}/nowhere`, prefix })).rejects.toMatchObject({
      code: 'broker-unavailable',
    });
    await delay(500);
    expect(await connections()).toBeLessThanOrEqual(before);
    expect(await broker.control('list_exchanges', 'name')).not.toContain(prefix);
  });

  it('keeps nothing of a communicator that has gone but tasks', async () => {
    const called = deferred();
    {
      await using communicator = await open();
      await busy(communicator);
      await communicator.serve('process.2', { note: () => called.resolve() as undefined as unknown as Json });
      await communicator.call('process.2', 'note', null, patience);
    }
    const queues = (await broker.control('list_queues', 'name')).split('\n').filter((name) => name.startsWith(prefix));
    expect(queues.sort()).toEqual([`${prefix}.parked.work`, `${prefix}.tasks.work`]);
  });
});
