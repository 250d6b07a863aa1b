import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { openEmbedded } from '../../../src/broker/embedded/index.js';
import { codeFrom, failureFrom, millisecondsOf } from '../../conformance/communicator/world.js';
import { isRoot } from '../../rigs/test-user.js';
import { until } from '../../rigs/until.js';
import { temporaryDirectory } from '../../unit/broker/embedded/world.js';
import { hubOf, Program } from './embedded-rig.js';

const ample = 60_000;

/** So many programs of their own, which end with the test. */
function programs(count: number): AsyncDisposable & { readonly all: readonly Program[] } {
  const all = Array.from({ length: count }, () => new Program());
  return {
    all,
    async [Symbol.asyncDispose]() {
      await Promise.all(all.map((program) => program[Symbol.asyncDispose]()));
    },
  };
}

describe('the hub of the embedded broker', () => {
  it('may be killed again and again: no task is lost, and every attempt is counted', async () => {
    using directory = temporaryDirectory();
    await using started = programs(6);
    const [sender, ...takers] = started.all;
    if (sender === undefined) throw new Error('no program');
    // The sender never prefers to be it, so that what is killed is one of the takers.
    const attempts = 100;
    for (const taker of takers) {
      await taker.ask('open', { directory: directory.path, attempts, hub: 'prefer' });
      await taker.ask('takeAll', { queue: 'work', prefetch: 3, hold: 5 });
    }
    await sender.ask('open', { directory: directory.path, attempts });
    const count = 600;
    sender.begin('send', { queue: 'work', prefix: 'task', count });
    const seen = () => takers.flatMap((taker) => taker.events as { id: string; attempt: number }[]);
    for (let killed = 1; killed <= 4; killed++) {
      const reached = (killed * count) / 6;
      await until(() => seen().length >= reached, { what: `${reached} tasks taken`, timeout: ample });
      const hub = takers.find((taker) => taker.alive && taker.pid === hubOf(directory.path));
      if (hub === undefined) throw new Error('the hub is none of the takers');
      hub.signal('SIGKILL');
      await hub.ended();
    }
    await sender.answer();
    const all = () => new Set(seen().map(({ id }) => id)).size === count;
    await until(all, { what: 'every task at somebody', timeout: ample });
    const empty = async () => {
      const { waiting, parked } = (await sender.ask('status', 'work')) as { waiting: number; parked: number };
      return waiting === 0 && parked === 0;
    };
    await until(empty, { what: 'an empty queue', timeout: ample });
    // At each death one task was under way, of which its sender cannot know whether it was stored.
    const times = seen().map(({ id, attempt }) => `${id} ${attempt}`);
    const twice = times.filter((time, index) => times.indexOf(time) < index);
    expect(twice.length).toBeLessThanOrEqual(4);
    for (const time of twice) expect(time).toMatch(/ 1$/);
    // Each of those who were killed had some in hand.
    expect(seen().filter(({ attempt }) => attempt > 1).length).toBeGreaterThan(0);
  });

  it('is one when five programs open at the same moment, and one again when it dies', async () => {
    using directory = temporaryDirectory();
    await using started = programs(5);
    for (const program of started.all) program.begin('open', { directory: directory.path });
    for (const program of started.all) await program.answer();
    for (const [index, program] of started.all.entries()) await program.ask('serve', `worker.${index}`);
    const alive = () => started.all.filter((program) => program.alive);
    while (alive().length > 1) {
      const isHub = ({ pid }: Program) => pid === hubOf(directory.path);
      const hub = await until(() => alive().find(isHub), { what: 'a hub', timeout: ample });
      for (const caller of alive()) {
        for (const [index, { pid, alive }] of started.all.entries()) {
          if (!alive) continue;
          const address = `worker.${index}`;
          const answer = () => caller.ask('call', { address, method: 'pid', timeout: 5_000 }).catch(() => undefined);
          await until(async () => (await answer()) === pid, { what: `${address} answers`, timeout: ample });
        }
      }
      hub.signal('SIGKILL');
      await hub.ended();
    }
  });

  it('that hangs fails what is asked in time and keeps nobody from closing; when it wakes, everything goes on', async () => {
    using directory = temporaryDirectory();
    await using hub = new Program();
    await hub.ask('open', { directory: directory.path });
    await hub.ask('serve', 'worker.1');
    await using client = await openEmbedded({ directory: directory.path, patience: 300 });
    const closing = await openEmbedded({ directory: directory.path });
    hub.signal('SIGSTOP');
    expect(await codeFrom(client.call('worker.1', 'pid', null, { timeout: 200 }))).toBe('timed-out');
    expect(await codeFrom(client.sendTask('work', 1))).toBe('broker-unavailable');
    expect(await codeFrom(client.listen([{}], () => undefined))).toBe('broker-unavailable');
    expect(await codeFrom(client.takeTasks('work', { prefetch: 1 }))).toBe('broker-unavailable');
    expect(await codeFrom(openEmbedded({ directory: directory.path, patience: 300 }))).toBe('broker-unavailable');
    expect(await millisecondsOf(async () => closing[Symbol.asyncDispose]())).toBeLessThan(1_000);
    hub.signal('SIGCONT');
    const answers = () => client.call('worker.1', 'pid', null, { timeout: 1_000 }).catch(() => undefined);
    await until(async () => (await answers()) === hub.pid, { what: 'an answer', timeout: ample });
    // What was given up is not in the way: nobody takes from the queue.
    expect(await client.queueStatus('work')).toMatchObject({ takers: 0 });
  });

  it.each(['the hub', 'a client', 'a client of a hub that hangs'])('lets %s end after closing', async (who) => {
    using directory = temporaryDirectory();
    await using started = programs(2);
    const [first, second] = started.all;
    await first?.ask('open', { directory: directory.path });
    await second?.ask('open', { directory: directory.path });
    if (who.endsWith('hangs')) first?.signal('SIGSTOP');
    const closing = who === 'the hub' ? first : second;
    await closing?.ask('closeAndLeave');
    await closing?.ended();
  });

  it('counts an attempt of a task that kills the program that is the hub itself', async () => {
    using directory = temporaryDirectory();
    await using client = await openEmbedded({ directory: directory.path });
    await client.sendTask('work', 'deadly', { id: 'deadly' });
    for (const id of ['one', 'two', 'three']) await client.sendTask('work', id, { id });
    await client[Symbol.asyncDispose]();
    for (let attempt = 1; attempt <= 2; attempt++) {
      await using program = new Program();
      await program.ask('open', { directory: directory.path, attempts: 5 });
      program.begin('takeDeadly', 'work');
      await program.ended();
    }
    await using next = await openEmbedded({ directory: directory.path });
    await using intake = await next.takeTasks('work', { prefetch: 4 });
    const attempts: Record<string, number> = {};
    for (let count = 0; count < 4; count++) {
      await using task = await intake.next();
      attempts[task.id] = task.attempt;
      await task.accept();
    }
    expect(attempts.deadly).toBe(3);
  });

  it('takes no attempt from tasks that wait at a program that dies of another', async () => {
    using directory = temporaryDirectory();
    await using hub = await openEmbedded({ directory: directory.path, hub: 'prefer' });
    for (const id of ['deadly', 'next', 'innocent', 'guiltless']) await hub.sendTask('work', id, { id });
    await using program = new Program();
    await program.ask('open', { directory: directory.path });
    program.begin('takeDeadly', 'work');
    await program.ended();
    await until(async () => (await hub.queueStatus('work')).waiting === 4, { what: 'all back', timeout: ample });
    await using intake = await hub.takeTasks('work', { prefetch: 1 });
    const attempts: Record<string, number> = {};
    for (let count = 0; count < 4; count++) {
      await using task = await intake.next();
      attempts[task.id] = task.attempt;
      await task.accept();
    }
    // Whether the next had been begun could not be known; of the others it could.
    expect(attempts).toEqual({ deadly: 2, next: 2, innocent: 1, guiltless: 1 });
  });

  it('hands over to a program that prefers to be it, and not to others', async () => {
    using directory = temporaryDirectory();
    await using started = programs(2);
    const [other, preferring] = started.all;
    await using first = await openEmbedded({ directory: directory.path });
    let reconnections = 0;
    first.onReconnected(() => {
      reconnections += 1;
    });
    await first.serve('worker.1', { echo: (body) => body });
    await first.sendTask('work', 'kept');
    await other?.ask('open', { directory: directory.path });
    expect(hubOf(directory.path)).toBe(process.pid);
    await preferring?.ask('open', { directory: directory.path, hub: 'prefer' });
    expect(hubOf(directory.path)).toBe(preferring?.pid);
    await until(() => reconnections === 1, { what: 'the connection to the new hub', timeout: ample });
    expect(await first.call('worker.1', 'echo', 1, { timeout: ample })).toBe(1);
    expect(await first.queueStatus('work')).toMatchObject({ waiting: 1 });
    await using second = await openEmbedded({ directory: directory.path, hub: 'prefer' });
    expect(second.connected).toBe(true);
    expect(hubOf(directory.path)).toBe(preferring?.pid);
  });

  it('gives the tasks of a program that hangs to others', async () => {
    using directory = temporaryDirectory();
    await using hub = await openEmbedded({ directory: directory.path, hub: 'prefer', heartbeat: 100 });
    await using frozen = new Program();
    await frozen.ask('open', { directory: directory.path, heartbeat: 100 });
    await frozen.ask('takeAll', { queue: 'work', prefetch: 1, hold: 600_000 });
    await hub.sendTask('work', 1);
    await until(() => frozen.events.length === 1, { what: 'the task taken', timeout: ample });
    frozen.signal('SIGSTOP');
    await using intake = await hub.takeTasks('work', { prefetch: 1 });
    await using task = await intake.next({ signal: AbortSignal.timeout(ample) });
    expect(task.attempt).toBe(2);
    await task.accept();
  });

  it('is slowed by no program that does not read, and keeps little for it', async () => {
    using directory = temporaryDirectory();
    const problems: unknown[] = [];
    const onProblem = (error: unknown) => problems.push(error);
    await using hub = await openEmbedded({ directory: directory.path, hub: 'prefer', onProblem });
    await using frozen = new Program();
    await using reading = new Program();
    for (const program of [frozen, reading]) {
      await program.ask('open', { directory: directory.path });
      await program.ask('listen', { subject: 'news' });
    }
    frozen.signal('SIGSTOP');
    const body = 'x'.repeat(1_048_576);
    let most = 0;
    const before = process.memoryUsage().rss;
    for (let count = 1; count <= 300; count++) {
      await hub.broadcast('news', { body });
      most = Math.max(most, process.memoryUsage().rss - before);
      // The one that reads keeps up; its own slowness is not what is tried here.
      await until(() => reading.events.length >= count - 20, {
        what: 'broadcasts are read',
        timeout: ample,
        interval: 2,
      });
    }
    await until(() => reading.events.length === 300, { what: 'all broadcasts', timeout: ample });
    expect(problems).toMatchObject([{ code: 'broker-lost' }]);
    expect(most).toBeLessThan(250 * 1_048_576);
    frozen.signal('SIGCONT');
  });
});

describe('the directory of the embedded broker', () => {
  it('may hold the socket of a hub that died', async () => {
    using directory = temporaryDirectory();
    {
      await using program = new Program();
      await program.ask('open', { directory: directory.path });
    }
    expect(existsSync(path.join(directory.path, 'broker.sock'))).toBe(true);
    await using communicator = await openEmbedded({ directory: directory.path });
    await communicator.broadcast('news');
  });

  it('may hold something else under the name of the socket', async () => {
    using directory = temporaryDirectory();
    writeFileSync(path.join(directory.path, 'broker.sock'), 'no socket');
    await using communicator = await openEmbedded({ directory: directory.path });
    await communicator.broadcast('news');
  });

  it('may have a path that is too long for a socket', async () => {
    using directory = temporaryDirectory();
    const deep = path.join(directory.path, 'a'.repeat(100), 'b'.repeat(100));
    mkdirSync(deep, { recursive: true });
    await using program = new Program();
    await program.ask('open', { directory: deep });
    await using communicator = await openEmbedded({ directory: deep });
    await program.ask('serve', 'worker.1');
    expect(await communicator.call('worker.1', 'pid', null, { timeout: ample })).toBe(program.pid);
    // That it is connected would be true before it has noticed the end.
    const again = new Promise<void>((resolve) => communicator.onReconnected(resolve));
    await program[Symbol.asyncDispose]();
    await again;
    await communicator.broadcast('news');
    await communicator[Symbol.asyncDispose]();
    expect(existsSync(path.join(deep, 'broker.sock'))).toBe(false);
  });

  it('keeps everything from other users', async () => {
    using directory = temporaryDirectory();
    await using communicator = await openEmbedded({ directory: directory.path });
    await communicator.sendTask('work', 'secret');
    const modes = readdirSync(directory.path).map((name) => statSync(path.join(directory.path, name)).mode & 0o777);
    expect(modes.length).toBeGreaterThanOrEqual(4);
    expect(new Set(modes)).toEqual(new Set([0o600]));
  });

  it.each(['/proc/self', '/nonexistent/profile', '/etc/passwd'])(
    'is refused where nothing can be made: %s',
    async (place) => {
      const error = await failureFrom(openEmbedded({ directory: place }));
      expect(error.code).toBe('broker-unavailable');
      expect(error.message).toContain(place);
      expect(error.hint).toBeDefined();
    },
  );

  it.skipIf(!isRoot)('that is full fails whoever sends, and nobody else', async () => {
    using directory = temporaryDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m,mode=0700', 'tmpfs', directory.path]);
    try {
      await using communicator = await openEmbedded({ directory: directory.path });
      await communicator.serve('worker.1', { echo: (body) => body });
      await communicator.sendTask('work', 'small', { id: 'before' });
      const body = 'x'.repeat(6_000_000);
      const large = codeFrom(communicator.sendTask('work', body));
      const small = communicator.sendTask('work', 'small', { id: 'beside' });
      expect(await large).toBe('disk-full');
      await small;
      expect(await communicator.call('worker.1', 'echo', 1, { timeout: ample })).toBe(1);
      await using intake = await communicator.takeTasks('work', { prefetch: 1 });
      const taken: string[] = [];
      for (let count = 0; count < 2; count++) {
        await using task = await intake.next();
        taken.push(task.id);
        await task.accept();
      }
      expect(taken).toEqual(['before', 'beside']);
      await communicator[Symbol.asyncDispose]();
    } finally {
      // The file stays open until its statements are collected.
      execFileSync('umount', ['--lazy', directory.path]);
    }
  });
});

describe('the embedded broker with much to do', () => {
  it('carries 10 000 tasks to three programs, each to one of them', async () => {
    using directory = temporaryDirectory();
    await using communicator = await openEmbedded({ directory: directory.path, hub: 'prefer' });
    await using started = programs(3);
    for (const taker of started.all) {
      await taker.ask('open', { directory: directory.path });
      await taker.ask('takeFast', { queue: 'work', prefetch: 20 });
    }
    const count = 10_000;
    for (let sent = 0; sent < count; sent += 100) {
      const numbers = Array.from({ length: 100 }, (_, index) => sent + index);
      await Promise.all(numbers.map((number) => communicator.sendTask('work', { number }, { id: `${number}` })));
    }
    const taken = () => started.all.map((taker) => taker.events.flatMap(({ taken }) => taken as string[]));
    await until(() => taken().flat().length >= count, { what: 'all tasks taken', timeout: ample, interval: 100 });
    expect(taken().flat()).toHaveLength(count);
    expect(new Set(taken().flat()).size).toBe(count);
    for (const share of taken()) expect(share.length).toBeGreaterThan(count / 10);
    expect(await communicator.queueStatus('work')).toEqual({ waiting: 0, parked: 0, takers: 3 });
  });

  it('has room for 1 000 listeners, who hear what they asked for and nothing else', async () => {
    using directory = temporaryDirectory();
    const one = await openEmbedded({ directory: directory.path });
    const other = await openEmbedded({ directory: directory.path });
    const heard: [number, string][] = [];
    const numbers = Array.from({ length: 1_000 }, (_, index) => index);
    await Promise.all(
      numbers.map((number) =>
        [one, other][number % 2]?.listen([{ subject: `state.*.${number}.#`, sender: 'process.*' }], ({ subject }) => {
          heard.push([number, subject]);
        }),
      ),
    );
    let ended = 0;
    for (const communicator of [one, other]) await communicator.listen([{ subject: 'end' }], () => ended++);
    for (const number of numbers)
      await one.broadcast(`state.calcjob.${number}.finished`, { sender: `process.${number}` });
    await one.broadcast('state.calcjob.1.finished');
    await one.broadcast('end');
    await until(() => ended === 2, { what: 'the end', timeout: ample });
    expect(heard.sort(([a], [b]) => a - b)).toEqual(
      numbers.map((number) => [number, `state.calcjob.${number}.finished`]),
    );
    await one[Symbol.asyncDispose]();
    await other[Symbol.asyncDispose]();
  });
});
