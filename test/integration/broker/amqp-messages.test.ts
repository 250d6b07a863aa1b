import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type ChannelModel, connect, type Options } from 'amqplib';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openAmqp } from '../../../src/broker/amqp/index.js';
import type { Communicator, Json } from '../../../src/broker/communicator.js';
import { ample, deferred } from '../../conformance/communicator/world.js';
import { type Rabbitmq, startRabbitmq } from '../../rigs/rabbitmq.js';
import { until } from '../../rigs/until.js';

/** What stands at the broker, and what becomes of messages that none of ours has sent. */
describe('at the broker', () => {
  const patience = { timeout: ample };
  let broker: Rabbitmq;
  let foreign: ChannelModel;
  let prefix: string;
  beforeAll(async () => {
    broker = await startRabbitmq();
    foreign = await connect(broker.url);
  });
  afterAll(async () => {
    await foreign.close();
    await broker[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    prefix = `wherry.${randomUUID()}`;
  });

  async function openNoting() {
    const problems: { code?: string; message: string }[] = [];
    const communicator = await openAmqp({
      ...{ url: broker.url, prefix },
      onProblem: (problem) => problems.push(problem as (typeof problems)[number]),
    });
    return { communicator, problems };
  }

  /** Sends something that none of ours would send. */
  async function send(exchange: string, key: string, content: string, properties: Options.Publish): Promise<void> {
    const channel = await foreign.createConfirmChannel();
    channel.publish(`${prefix}.${exchange}`, key, Buffer.from(content), properties);
    await channel.waitForConfirms();
    await channel.close();
  }

  const task = { type: 'task', messageId: 'm', headers: { version: 1, attempt: 1, sentAt: 5 } };
  const odd: [string, string, Options.Publish][] = [
    ['without any properties', 'hello', {}],
    ['of another type', '{}', { ...task, type: 'mail' }],
    ['without headers', '{}', { ...task, headers: {} }],
    ['whose headers are odd', '{}', { ...task, headers: { version: 1, attempt: 'one', sentAt: 5 } }],
    ['of a newer version', '{}', { ...task, headers: { ...task.headers, version: 2 } }],
    ['whose body is no JSON', '{"half":', task],
  ];

  it.each(odd)('a task %s is parked and told, and others go on', async (_, content, properties) => {
    const { communicator, problems } = await openNoting();
    await using _communicator = communicator;
    await using intake = await communicator.takeTasks('work', { prefetch: 1 });
    await send('tasks', 'work', content, properties);
    await communicator.sendTask('work', 'good');
    expect((await intake.next()).body).toBe('good');
    const parked = await until(async () => (await communicator.parkedTasks('work', 10))[0], {
      what: 'the odd task parked',
      timeout: ample,
    });
    expect(parked).toMatchObject({ queue: 'work', body: content, attempts: 0, reason: expect.stringMatching(/./) });
    expect(problems).toMatchObject([{ code: 'message-refused' }]);
    expect(await communicator.dropParked('work', [parked.id])).toBe(1);
    expect(await communicator.queueStatus('work')).toMatchObject({ waiting: 0, parked: 0 });
  });

  it('calls and broadcasts that cannot be read are told, and others go on', async () => {
    const { communicator, problems } = await openNoting();
    await using _communicator = communicator;
    const heard: Json[] = [];
    await communicator.serve('process.1', { echo: (body) => body });
    await communicator.listen([{}], ({ body }) => heard.push(body));
    for (const [, content, properties] of odd) {
      await send('calls', 'process.1', content, properties);
      await send('broadcasts', '-.-.news', content, properties);
    }
    await send('broadcasts', 'odd', 'null', {});
    expect(await communicator.call('process.1', 'echo', 1, patience)).toBe(1);
    await communicator.broadcast('news', { body: 'good' });
    await until(() => heard.length > 0, { what: 'the good broadcast', timeout: ample });
    expect(heard).toEqual(['good']);
    expect(problems.map(({ code }) => code)).toEqual(Array(12).fill('message-refused'));
  });

  it('whoever asks in an odd way gets an error as an answer', async () => {
    await using communicator = await openAmqp({ url: broker.url, prefix });
    await communicator.serve('process.1', { echo: (body) => body });
    const channel = await foreign.createChannel();
    const answer = deferred<string>();
    const replyTo = 'amq.rabbitmq.reply-to';
    await channel.consume(replyTo, (message) => answer.resolve(String(message?.content)), { noAck: true });
    const properties = {
      type: 'call',
      correlationId: 'c',
      replyTo,
      headers: { version: 2, method: 'echo', timeout: 1 },
    };
    channel.publish(`${prefix}.calls`, 'process.1', Buffer.from('{}'), properties);
    expect(JSON.parse(await answer.promise)).toMatchObject({ code: 'message-refused', transient: false });
    await channel.close();
  });

  it('everything has names under the prefix; what lasts is durable, and nothing has arguments', async () => {
    await using communicator = await openAmqp({ url: broker.url, prefix });
    await communicator.serve('process.1', {});
    await communicator.listen([{ subject: 'state.#' }], () => undefined);
    await communicator.sendTask('work', 1);
    const rows = async (...words: string[]) =>
      (await broker.control(...words))
        .split('\n')
        .filter((line) => line.startsWith(prefix))
        .map((line) =>
          line
            .slice(prefix.length)
            .replace(/[0-9a-f-]{36}/, 'UUID')
            .split('\t'),
        )
        .sort();
    expect(await rows('list_exchanges', 'name', 'type', 'durable', 'arguments')).toEqual([
      ['.broadcasts', 'topic', 'true', '[]'],
      ['.calls', 'direct', 'true', '[]'],
      ['.tasks', 'direct', 'true', '[]'],
    ]);
    const columns = ['name', 'durable', 'exclusive', 'auto_delete', 'arguments'];
    expect(await rows('list_queues', ...columns)).toEqual([
      ['.broadcasts.UUID', 'false', 'true', 'true', '[]'],
      ['.calls.UUID', 'false', 'true', 'true', '[]'],
      ['.parked.work', 'true', 'false', 'false', '[]'],
      ['.tasks.work', 'true', 'false', 'false', '[]'],
    ]);
  });

  it('it is the broker that chooses who hears a broadcast', async () => {
    await using communicator = await openAmqp({ url: broker.url, prefix });
    await using _listening = await communicator.listen(
      [{ subject: 'state.#' }, { subject: 'state.#' }, { sender: 'process.*' }, { subject: 'x', sender: 'worker.1' }],
      () => undefined,
    );
    const bindings = await broker.control('list_bindings', 'source_name', 'routing_key');
    const keys = bindings
      .split('\n')
      .map((line) => line.split('\t'))
      .filter(([source]) => source === `${prefix}.broadcasts`)
      .map(([, key]) => key);
    expect(keys.sort()).toEqual(['*.*.state.#', 'process.*.#', 'worker.1.x']);
  });

  it('an address is one binding, and no queue', async () => {
    await using communicator = await openAmqp({ url: broker.url, prefix });
    const served: AsyncDisposable[] = [];
    for (let number = 0; number < 20; number++) served.push(await communicator.serve(`process.${number}`, {}));
    const queues = async () => (await broker.control('list_queues', 'name')).split(prefix).length - 1;
    const bindings = async () =>
      (await broker.control('list_bindings', 'source_name')).split(`${prefix}.calls`).length - 1;
    expect([await queues(), await bindings()]).toEqual([2, 20]);
    for (const one of served) await one[Symbol.asyncDispose]();
    expect([await queues(), await bindings()]).toEqual([2, 0]);
  });

  it('a user with the rights that docs/broker.md names can do everything', async () => {
    const page = await readFile('docs/broker.md', 'utf8');
    const rights = /set_permissions -p VHOST USER\s+('.*?') ('.*?') ('.*?')`/s.exec(page)?.slice(1) ?? [];
    expect(rights).toHaveLength(3);
    await broker.control('add_user', 'modest', 'secret');
    const words = rights.map((right) => right.slice(1, -1));
    await broker.control('set_permissions', '-p', '/', 'modest', ...words);
    const url = broker.url.replace('guest:guest', 'modest:secret');
    await using communicator = await openAmqp({ url, prefix });
    const heard: Json[] = [];
    await communicator.serve('process.1', { echo: (body) => body });
    await communicator.listen([{}], ({ body }) => heard.push(body));
    await communicator.broadcast('news', { body: 1 });
    expect(await communicator.call('process.1', 'echo', 1, patience)).toBe(1);
    await using intake = await communicator.takeTasks('work', { prefetch: 1 });
    const answer = communicator.callTask('work', 1, patience);
    await (await intake.next()).accept(2);
    expect(await answer).toBe(2);
    await communicator.sendTask('work', 3);
    await (await intake.next()).park('odd');
    expect(await communicator.parkedTasks('work', 1)).toHaveLength(1);
    expect(await communicator.resendParked('work', 'all')).toBe(1);
    await until(() => heard.length === 1, { what: 'the broadcast', timeout: ample });
    const other = openAmqp({ url, prefix: 'other' });
    await expect(other).rejects.toMatchObject({ code: 'broker-unavailable', transient: false });
  });

  describe('quorum queues as the default of a virtual host, with a limit of deliveries', () => {
    let communicator: Communicator;
    beforeAll(async () => {
      await broker.control('add_vhost', 'quorum', '--default-queue-type', 'quorum');
      await broker.control('set_permissions', '-p', 'quorum', 'guest', '.*', '.*', '.*');
      const words = ['set_policy', '-p', 'quorum', '--apply-to', 'queues', 'deliveries', '\\.tasks\\.'];
      await broker.control(...words, JSON.stringify({ 'delivery-limit': 20 }));
      communicator = await openAmqp({ url: `${broker.url}/quorum`, prefix: 'wherry.quorum', attempts: 30 });
    });
    afterAll(() => communicator[Symbol.asyncDispose]());

    it('lose nothing: a task that goes back is a new message', async () => {
      await communicator.sendTask('work', 'again', { id: 'again' });
      expect(await broker.control('list_queues', '-p', 'quorum', 'name', 'type')).toMatch(/tasks\.work\tquorum/);
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      for (let attempt = 1; attempt <= 30; attempt++) {
        await using task = await intake.next({ signal: AbortSignal.timeout(ample) });
        expect(task).toMatchObject({ id: 'again', attempt });
      }
      expect(await communicator.parkedTasks('work', 10)).toMatchObject([{ id: 'again', attempts: 30 }]);
    });

    it('of parked tasks may be looked at as often as one likes where they have no limit', async () => {
      for (let look = 0; look < 30; look++) expect(await communicator.parkedTasks('work', 10)).toHaveLength(1);
      expect(await communicator.resendParked('work', 'all')).toBe(1);
    });
  });
});
