import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { largestBody } from '../../../../src/broker/body.js';
import { encodeFrame, FrameReader } from '../../../../src/broker/embedded/frames.js';
import { openEmbedded } from '../../../../src/broker/embedded/index.js';
import { takeLock } from '../../../../src/broker/lock.js';
import { codeFrom } from '../../../conformance/communicator/world.js';
import { until } from '../../../rigs/until.js';
import { temporaryDirectory } from './world.js';

const hello = { type: 'hello', version: 1, program: 'test', prefersToBeHub: false };
const noBody = Buffer.alloc(0);

/** A hub, and a socket to it that speaks whatever a test wants. */
async function openEdge() {
  const directory = temporaryDirectory();
  const problems: { code?: string; message?: string }[] = [];
  const onProblem = (error: unknown) => problems.push(error as Error);
  const communicator = await openEmbedded({ directory: directory.path, onProblem });
  const sockets: Socket[] = [];
  const dial = async () => {
    const socket = connect(path.join(directory.path, 'broker.sock'));
    sockets.push(socket);
    const reader = new FrameReader();
    const heard: { type: string; id?: number }[] = [];
    socket.on('data', (chunk) => {
      for (const { header } of reader.read(chunk as Buffer)) heard.push(JSON.parse(header.toString()));
    });
    socket.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await once(socket, 'connect');
    return { socket, heard, ended, say: (header: object) => socket.write(encodeFrame(header, noBody)) };
  };
  return {
    communicator,
    problems,
    dial,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await communicator[Symbol.asyncDispose]();
      directory[Symbol.dispose]();
    },
  };
}

describe('the edge of the hub', () => {
  const frame = (text: string) => {
    const header = Buffer.from(text);
    const prefix = Buffer.alloc(8);
    prefix.writeUInt32BE(header.length, 0);
    return Buffer.concat([prefix, header]);
  };
  it.each<[string, Buffer]>([
    ['bytes that are no frame', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ['a frame that is too large', Buffer.from([0, 0, 0, 2, 255, 255, 255, 255])],
    ['a header that is no JSON', frame('{"type":')],
    ['a message that nobody knows', frame('{"type":"explode","id":1}')],
    ['a message with a part of a wrong kind', frame('{"type":"take","id":1,"taker":"x","queue":7}')],
    ['a number below nought', frame('{"type":"forget","id":-1}')],
    ['null', frame('null')],
  ])('ends the connection of who sends %s, says so, and goes on', async (_, bytes) => {
    await using edge = await openEdge();
    const { socket, say, ended } = await edge.dial();
    say(hello);
    socket.write(bytes);
    await ended;
    expect(edge.problems).toMatchObject([{ code: 'message-refused' }]);
    await edge.communicator.broadcast('news');
  });

  it('hears nobody who has not said hello', async () => {
    await using edge = await openEdge();
    const { say, ended } = await edge.dial();
    say({ type: 'queue-status', id: 1, queue: 'work' });
    await ended;
    expect(edge.problems).toMatchObject([{ code: 'message-refused' }]);
  });

  it('refuses a program that speaks another version, and says why', async () => {
    await using edge = await openEdge();
    const { say, ended, heard } = await edge.dial();
    say({ ...hello, version: 2 });
    await ended;
    expect(heard).toMatchObject([{ type: 'refused', failure: { code: 'broker-unavailable', transient: false } }]);
  });

  it('lets nobody deal with the tasks of another, or answer calls that are not his', async () => {
    await using edge = await openEdge();
    const { communicator } = edge;
    await communicator.sendTask('work', 1);
    await using intake = await communicator.takeTasks('work', { prefetch: 1 });
    await using task = await intake.next();
    let answer: (body: string) => void = () => undefined;
    await communicator.serve('worker.1', {
      slow: () => new Promise<string>((resolve) => (answer = resolve)),
    });
    const called = communicator.call('worker.1', 'slow', null, { timeout: 10_000 });
    const { say, heard } = await edge.dial();
    say(hello);
    for (let number = 0; number < 5; number++) {
      say({ type: 'accept', id: number, delivery: number });
      say({ type: 'answer', call: number });
      say({ type: 'give-back', id: 100 + number, delivery: number });
    }
    await until(() => heard.some(({ id }) => id === 104), { what: 'the last answer' });
    expect(heard.filter(({ type }) => type === 'failed')).toHaveLength(5);
    answer('mine');
    expect(await called).toBe('mine');
    await task.accept();
    expect(await communicator.queueStatus('work')).toMatchObject({ waiting: 0 });
  });

  it('gives the place of a program that connects again to its new connection', async () => {
    await using edge = await openEdge();
    const first = await edge.dial();
    first.say(hello);
    first.say({ type: 'serve', id: 1, address: 'worker.1' });
    await until(() => first.heard.length === 2, { what: 'two answers' });
    const second = await edge.dial();
    second.say(hello);
    second.say({ type: 'serve', id: 1, address: 'worker.1' });
    await until(() => second.heard.length === 2, { what: 'two answers' });
    expect(second.heard[1]).toMatchObject({ type: 'done', id: 1 });
    await first.ended;
  });

  it('stores a task once that is sent again because a connection broke before the answer', async () => {
    await using edge = await openEdge();
    const { say, heard } = await edge.dial();
    say(hello);
    const task = { type: 'send-task', queue: 'work', answered: false };
    for (const [id, name, again] of [
      [1, 'a', false],
      [2, 'a', true],
      [3, 'b', true],
      [4, 'b', true],
    ] as const) {
      say({ ...task, id, task: name, again });
    }
    await until(() => heard.filter(({ type }) => type === 'done').length === 4, { what: 'four answers' });
    expect(await edge.communicator.queueStatus('work')).toMatchObject({ waiting: 2 });
  });

  it('carries the largest body, and none beyond', { timeout: 60_000 }, async () => {
    await using edge = await openEdge();
    const { communicator } = edge;
    await communicator.serve('worker.1', { echo: (body) => body });
    const body = 'x'.repeat(largestBody - 2);
    expect(await communicator.call('worker.1', 'echo', body, { timeout: 30_000 })).toBe(body);
    expect(await codeFrom(communicator.call('worker.1', 'echo', `${body}x`, { timeout: 30_000 }))).toBe(
      'message-refused',
    );
    expect(await codeFrom(communicator.sendTask('work', `${body}x`))).toBe('message-refused');
    expect(edge.problems).toEqual([]);
  });

  it('lists parked tasks of any size and number', { timeout: 60_000 }, async () => {
    await using edge = await openEdge();
    const { communicator } = edge;
    // Every character of it is written as two, and those as four where it is JSON in JSON.
    const worst = '"'.repeat(largestBody / 2 - 1);
    const count = 1_200;
    await using intake = await communicator.takeTasks('work', { prefetch: 50 });
    const parking = Array.from({ length: 50 }, async () => {
      for (let number = 0; number < count / 50; number++) await (await intake.next()).park('x'.repeat(5_000));
    });
    const numbers = Array.from({ length: count }, (_, number) => number);
    await Promise.all(numbers.map((number) => communicator.sendTask('work', number === 0 ? worst : number)));
    await Promise.all(parking);
    const parked = await communicator.parkedTasks('work', 10_000);
    expect(parked).toHaveLength(count);
    expect(parked.filter(({ body }) => body === worst)).toHaveLength(1);
    expect(new Set(parked.map(({ id }) => id)).size).toBe(count);
    expect(await communicator.parkedTasks('work', 1_100)).toHaveLength(1_100);
    expect(edge.problems).toEqual([]);
  });
});

describe('a communicator whose hub is away for a while', () => {
  it('does once what was begun meanwhile', async () => {
    using directory = temporaryDirectory();
    const hub = await openEmbedded({ directory: directory.path, hub: 'prefer' });
    await using communicator = await openEmbedded({ directory: directory.path });
    // Nobody becomes the hub as long as this test has its lock, which it takes in the same breath.
    const closing = hub[Symbol.asyncDispose]();
    const lock = takeLock(path.join(directory.path, 'broker.lock'), 'broker-unavailable');
    expect(lock).toBeDefined();
    await closing;
    await until(() => !communicator.connected, { what: 'the end of the connection' });
    const heard: string[] = [];
    const begun = Promise.all([
      communicator.takeTasks('work', { prefetch: 1 }),
      communicator.serve('worker.1', { echo: (body) => body }),
      communicator.listen([{}], ({ subject }) => heard.push(subject)),
      communicator.sendTask('work', 'first'),
      communicator.call('worker.1', 'echo', 1, { timeout: 20_000 }),
    ]);
    lock?.[Symbol.dispose]();
    const [intake, , , , answer] = await begun;
    expect(answer).toBe(1);
    expect((await intake.next()).body).toBe('first');
    await communicator.broadcast('news');
    await communicator.sendTask('work', 'second');
    expect(await communicator.queueStatus('work')).toEqual({ waiting: 1, parked: 0, takers: 1 });
    expect(heard).toEqual(['news']);
    expect(await codeFrom(communicator.serve('worker.1', {}))).toBe('name-taken');
  });
});

describe('a communicator that waits for its broker', () => {
  it('opens without one, and is connected when it comes', async () => {
    using directory = temporaryDirectory();
    const lock = takeLock(path.join(directory.path, 'broker.lock'), 'broker-unavailable');
    expect(await codeFrom(openEmbedded({ directory: directory.path, patience: 100 }))).toBe('broker-unavailable');
    await using communicator = await openEmbedded({ directory: directory.path, waitForBroker: true, patience: 100 });
    expect(communicator.connected).toBe(false);
    expect(await codeFrom(communicator.sendTask('work', 1))).toBe('broker-unavailable');
    lock?.[Symbol.dispose]();
    await until(() => communicator.connected, { what: 'the connection' });
    await communicator.sendTask('work', 1);
  });
});

describe('numbers that make no sense', () => {
  it('are refused, or mean what they say, and do no harm', async () => {
    using directory = temporaryDirectory();
    const problems: unknown[] = [];
    const onProblem = (error: unknown) => problems.push(error);
    await using communicator = await openEmbedded({ directory: directory.path, onProblem });
    await communicator.serve('worker.1', {
      patient: (_, { signal }) => new Promise<boolean>((resolve) => setTimeout(() => resolve(signal.aborted), 20)),
    });
    const call = (timeout: number) => communicator.call('worker.1', 'patient', null, { timeout });
    for (const timeout of [Number.POSITIVE_INFINITY, 1e12]) expect(await call(timeout)).toBe(false);
    for (const timeout of [0, -5]) expect(await codeFrom(call(timeout))).toBe('timed-out');
    expect(await codeFrom(call(Number.NaN))).toBe('message-refused');
    for (const limit of [-1, 0.5, Number.NaN]) {
      expect(await codeFrom(communicator.parkedTasks('work', limit))).toBe('message-refused');
    }
    expect(await communicator.parkedTasks('work', Number.POSITIVE_INFINITY)).toEqual([]);
    for (const prefetch of [0, -1, 1.5, Number.NaN]) {
      expect(await codeFrom(communicator.takeTasks('work', { prefetch }))).toBe('message-refused');
    }
    expect(await codeFrom(communicator.resendParked('work', ['x'.repeat(5_000)]))).toBe('message-refused');
    expect(problems).toEqual([]);
  });
});
