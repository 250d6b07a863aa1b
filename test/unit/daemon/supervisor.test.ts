import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogEntry } from '../../../src/daemon/log.js';
import type { DaemonEvent, Heartbeat } from '../../../src/daemon/messages.js';
import { stopRest } from '../../../src/daemon/stop-timeout.js';
import { Supervisor, type SupervisorOptions } from '../../../src/daemon/supervisor.js';

/** A worker that does only what the test says. */
class Child extends EventEmitter {
  readonly pid: number;
  readonly connected = true;
  readonly stdout = null;
  readonly stderr = null;
  readonly sent: unknown[] = [];
  readonly signals: string[] = [];

  constructor(pid: number) {
    super();
    this.pid = pid;
  }

  send(message: unknown): boolean {
    this.sent.push(message);
    return true;
  }

  kill(signal: string): boolean {
    this.signals.push(signal);
    if (signal === 'SIGKILL' && !this.immortal) this.end(null, 'SIGKILL');
    return true;
  }

  ready(): void {
    this.emit('message', { type: 'ready', code: 'c' });
  }

  beat(figures: Partial<Heartbeat> = {}): void {
    this.emit('message', {
      type: 'heartbeat',
      delayP99: 1,
      delayMax: 2,
      memory: 3,
      computers: 0,
      steps: 0,
      ...figures,
    });
  }

  /** Milliseconds that it was last given to end; undefined when it was not asked to. */
  get drained(): number | undefined {
    const orders = this.sent as { type: string; timeout?: number }[];
    return orders.findLast(({ type }) => type === 'drain')?.timeout;
  }

  unref(): void {
    this.given = true;
  }

  disconnect(): void {
    this.given = true;
  }

  /** Does nobody wait for it any more? */
  given = false;
  /** Hangs in the system: even SIGKILL does not end it. */
  immortal = false;

  end(exitCode: number | null, signal: string | null = null): void {
    this.emit('close', exitCode, signal);
  }
}

let children: Child[];
let entries: LogEntry[];
let events: DaemonEvent[];
let supervisor: Supervisor;

function supervise(options: Partial<SupervisorOptions> = {}): Supervisor {
  return new Supervisor({
    random: () => 1,
    log: (entry) => entries.push(entry),
    tell: (event) => events.push(event),
    fork: () => {
      const child = new Child(100 + children.length);
      children.push(child);
      return child as unknown as ChildProcess;
    },
    ...options,
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  children = [];
  entries = [];
  events = [];
  supervisor = supervise();
});

afterEach(async () => {
  const stopped = supervisor.stop(0);
  await vi.advanceTimersByTimeAsync(stopRest.killed + 1_000);
  await stopped;
  vi.useRealTimers();
});

const last = () => {
  const child = children.at(-1);
  if (child === undefined) throw new Error('nothing was started');
  return child;
};

/** Ends the newest worker before it is ready, again and again, with time for each restart. */
function endEarly(times: number): void {
  for (let count = 0; count < times; count++) {
    last().end(1);
    vi.advanceTimersByTime(10_000);
  }
}

describe('restarts', () => {
  it('come after pauses that grow', () => {
    supervisor.scale(1);
    const pauses = [250, 500, 1_000, 2_000];
    for (const [index, pause] of pauses.entries()) {
      last().end(1);
      vi.advanceTimersByTime(pause - 1);
      expect(children).toHaveLength(index + 1);
      vi.advanceTimersByTime(1);
      expect(children).toHaveLength(index + 2);
    }
  });

  it('begin anew for a worker that lived long', () => {
    supervisor.scale(1);
    endEarly(3);
    last().ready();
    for (let second = 0; second < 11; second++) {
      vi.advanceTimersByTime(1_000);
      last().beat();
    }
    last().end(1);
    vi.advanceTimersByTime(250);
    expect(children).toHaveLength(5);
  });
});

describe('a worker that cannot even be started', () => {
  it('is tried again like one that ended early, and the supervisor lives', () => {
    void supervisor.stop(0);
    let full = true;
    supervisor = supervise({
      fork: () => {
        if (full) throw new Error('spawn ENOMEM');
        const child = new Child(7);
        children.push(child);
        return child as unknown as ChildProcess;
      },
    });
    supervisor.scale(1);
    expect(supervisor.status.workers).toMatchObject([{ state: 'waiting', lastEnd: { reason: 'spawn ENOMEM' } }]);
    full = false;
    vi.advanceTimersByTime(250);
    last().ready();
    expect(supervisor.status.workers).toMatchObject([{ state: 'ready' }]);
  });
});

describe('a worker that hangs', () => {
  it('is killed after 15 s without a sign of life, and not before', () => {
    supervisor.scale(1);
    last().ready();
    vi.advanceTimersByTime(14_000);
    last().beat();
    vi.advanceTimersByTime(14_500);
    expect(children[0]?.signals).toEqual([]);
    vi.advanceTimersByTime(1_000);
    expect(children[0]?.signals).toEqual(['SIGKILL']);
    expect(supervisor.status.workers[0]?.lastEnd?.reason).toBe('no sign of life for 15 s');
  });

  it('is not blamed for the sleep of its supervisor', () => {
    supervisor.scale(1);
    last().ready();
    vi.advanceTimersByTime(1_000);
    vi.setSystemTime(Date.now() + 60_000);
    vi.advanceTimersByTime(10_000);
    expect(children[0]?.signals).toEqual([]);
    vi.advanceTimersByTime(5_000);
    expect(children[0]?.signals).toEqual(['SIGKILL']);
  });

  it('is killed when it never becomes ready', () => {
    supervisor.scale(1);
    vi.advanceTimersByTime(30_500);
    expect(children[0]?.signals).toEqual(['SIGKILL']);
  });
});

describe('a crash loop', () => {
  it('opens the breaker; one probe is tried, and its end opens it for longer', () => {
    supervisor.scale(2);
    children[1]?.ready();
    children[0]?.end(1);
    vi.advanceTimersByTime(1_000);
    for (let count = 0; count < 4; count++) {
      children[1]?.beat();
      last().end(1);
      vi.advanceTimersByTime(3_000);
    }
    expect(children).toHaveLength(6);
    const { breaker } = supervisor.status;
    expect(breaker?.reason).toContain('worker 1 ended 5 times in a row');
    children[1]?.end(1);
    vi.advanceTimersByTime(50_000);
    expect(children).toHaveLength(6);
    vi.advanceTimersByTime(10_000);
    expect(children).toHaveLength(7);
    last().end(1);
    vi.advanceTimersByTime(119_000);
    expect(children).toHaveLength(7);
    vi.advanceTimersByTime(1_000);
    expect(children).toHaveLength(8);
  });

  it('is over when the probe stays: then all come back', () => {
    supervisor.scale(1);
    endEarly(5);
    expect(supervisor.status.breaker).not.toBeNull();
    supervisor.scale(2);
    expect(children).toHaveLength(5);
    vi.advanceTimersByTime(60_000);
    expect(children).toHaveLength(6);
    last().ready();
    vi.advanceTimersByTime(10_250);
    expect(supervisor.status.breaker).toBeNull();
    expect(children).toHaveLength(7);
  });

  it('is not what workers show that were asked to end', () => {
    supervisor.scale(1);
    endEarly(4);
    last().end(0);
    vi.advanceTimersByTime(1_000);
    endEarly(4);
    expect(supervisor.status.breaker).toBeNull();
  });
});

describe('scale', () => {
  it('drains the newest, and starts others without waiting for their end', () => {
    supervisor.scale(2);
    for (const child of children) child.ready();
    supervisor.scale(1);
    expect(children.map(({ sent }) => sent.at(-1))).toEqual([
      { type: 'workers', count: 1 },
      { type: 'drain', timeout: 30_000 },
    ]);
    supervisor.scale(2);
    expect(children).toHaveLength(3);
    children[1]?.end(0);
    vi.advanceTimersByTime(5_000);
    expect(supervisor.status.workers.map(({ number }) => number)).toEqual([1, 3]);
    expect(children).toHaveLength(3);
  });

  it('kills a drained worker that does not end', () => {
    supervisor.scale(1);
    last().ready();
    supervisor.scale(0);
    vi.advanceTimersByTime(30_500);
    expect(children[0]?.signals).toEqual(['SIGKILL']);
    expect(supervisor.status.workers).toEqual([]);
  });
});

/** Starts so many workers, all of them ready. */
function startReady(count: number): void {
  supervisor.scale(count);
  for (const child of children) child.ready();
}

/** Lets time pass in which those that are named give signs of life. */
function live(milliseconds: number, ...living: Child[]): void {
  for (let passed = 0; passed < milliseconds; passed += 1_000) {
    vi.advanceTimersByTime(1_000);
    for (const child of living) child.beat();
  }
}

/** Numbers and states of the workers. */
const crew = () => supervisor.status.workers.map(({ number, state }) => `${number} ${state}`);

describe('fewer workers', () => {
  it('are reached by ending the least busy: fewest steps, then fewest computers, then the youngest', () => {
    startReady(4);
    const [one, two, three, four] = children as [Child, Child, Child, Child];
    one.beat({ steps: 0, computers: 2 });
    two.beat({ steps: 3, computers: 1 });
    three.beat({ steps: 0, computers: 1 });
    four.beat({ steps: 0, computers: 1 });
    const order: number[] = [];
    for (const wanted of [3, 2, 1, 0]) {
      supervisor.scale(wanted);
      for (const [index, child] of children.entries()) {
        if (child.drained !== undefined && !order.includes(index + 1)) order.push(index + 1);
      }
    }
    expect(order).toEqual([4, 3, 1, 2]);
  });

  it('end one that waits for its restart before any that works', () => {
    startReady(2);
    children[0]?.end(1);
    supervisor.scale(1);
    expect(crew()).toEqual(['2 ready']);
    expect(children[1]?.drained).toBeUndefined();
  });

  it('end one that is still being loaded by a signal', () => {
    startReady(1);
    supervisor.scale(2);
    supervisor.scale(1);
    expect(children[1]?.signals).toEqual(['SIGTERM']);
    expect(children[0]?.signals).toEqual([]);
  });

  it('and more of them, again and again: what was asked last counts, and every other is ended', () => {
    const wishes = [5, 0, 8, 1, 3, 7, 2];
    for (const wanted of wishes) supervisor.scale(wanted);
    for (const child of children) if (child.drained !== undefined) child.end(0);
    for (const child of children) if (child.drained === undefined) child.ready();
    expect(crew().map((state) => state.split(' ')[1])).toEqual(['ready', 'ready']);
    live(60_000, ...children.filter(({ drained }) => drained === undefined));
    expect(supervisor.status.workers).toHaveLength(2);
    expect(children.filter(({ drained }) => drained === undefined)).toHaveLength(2);
  });
});

describe('a worker that is too old', () => {
  beforeEach(() => {
    void supervisor.stop(0);
    supervisor = supervise({ settings: { maxAge: 100_000 } });
  });

  it('works on until another is ready, and is then asked to end', () => {
    startReady(1);
    const [old] = children as [Child];
    // By chance it gets a tenth less than the limit.
    live(89_000, old);
    expect(children).toHaveLength(1);
    live(2_000, old);
    expect(children).toHaveLength(2);
    expect(old.drained).toBeUndefined();
    expect(supervisor.status.replacing).toMatchObject({ worker: 1, successor: 2, why: expect.stringContaining('age') });
    last().ready();
    expect(old.drained).toBe(30_000);
    expect(crew()).toEqual(['1 draining', '2 ready']);
    old.end(0);
    expect(crew()).toEqual(['2 ready']);
    expect(supervisor.status.replacing).toBeNull();
    expect(events).toContainEqual({ type: 'worker-replaced', worker: 1, successor: 2, why: 'its age (90 s)' });
  });

  it('is one of several that are replaced one after another', () => {
    startReady(3);
    const old = children.slice(0, 3);
    live(91_000, ...old);
    for (let round = 1; round <= 3; round++) {
      expect(children).toHaveLength(3 + round);
      expect(crew().filter((state) => state.endsWith('ready'))).toHaveLength(3);
      last().ready();
      live(1_000, ...children);
      expect(children).toHaveLength(3 + round);
      old.find(({ drained }, index) => drained !== undefined && index >= round - 1)?.end(0);
      live(1_000, ...children);
    }
    expect(children).toHaveLength(6);
    expect(crew()).toHaveLength(3);
  });

  it('stays when its successor does not become ready; the reason is in the status, and it is tried again later', () => {
    startReady(1);
    const [old] = children as [Child];
    live(91_000, old);
    last().end(1);
    expect(crew()).toEqual(['1 ready']);
    expect(old.drained).toBeUndefined();
    expect(supervisor.status).toMatchObject({
      replacing: null,
      notReplaced: { worker: 1, reason: 'exit code 1' },
      breaker: null,
    });
    live(58_000, old);
    expect(children).toHaveLength(2);
    live(3_000, old);
    expect(children).toHaveLength(3);
    last().ready();
    expect(old.drained).toBe(30_000);
    expect(supervisor.status.notReplaced).toBeNull();
    expect(events.filter(({ type }) => type === 'worker-not-replaced')).toHaveLength(1);
  });

  it('stays when its successor is never ready, and that one is killed', () => {
    startReady(1);
    const [old] = children as [Child];
    live(91_000, old);
    live(31_000, old);
    expect(children[1]?.signals).toEqual(['SIGKILL']);
    expect(crew()).toEqual(['1 ready']);
    expect(supervisor.status.notReplaced?.reason).toContain('not ready 30 s after its start');
  });

  it('that ends by itself meanwhile has its successor', () => {
    startReady(1);
    live(91_000, children[0] as Child);
    children[0]?.end(null, 'SIGSEGV');
    expect(crew()).toEqual(['2 starting']);
    last().ready();
    live(30_000, last());
    expect(crew()).toEqual(['2 ready']);
    expect(children).toHaveLength(2);
  });

  it('that nobody wants any more takes its successor with it', () => {
    startReady(1);
    live(91_000, children[0] as Child);
    supervisor.scale(0);
    expect(children.map(({ drained }) => drained)).toEqual([30_000, 30_000]);
    for (const child of children) child.end(0);
    expect(crew()).toEqual([]);
  });
});

describe('a worker that is too large', () => {
  beforeEach(() => {
    void supervisor.stop(0);
    supervisor = supervise({ settings: { maxMemory: 1_000 } });
  });

  it('is replaced when it stays so, and not for a spike', () => {
    startReady(1);
    const [old] = children as [Child];
    const beat = (memory: number) => {
      old.beat({ memory });
      vi.advanceTimersByTime(1_000);
    };
    for (const memory of [1_500, 1_500, 1_500, 1_500, 900, 1_500, 1_500, 1_500, 1_500]) beat(memory);
    expect(children).toHaveLength(1);
    beat(1_500);
    expect(children).toHaveLength(2);
    expect(old.drained).toBeUndefined();
    last().ready();
    expect(old.drained).toBe(30_000);
  });

  it('beyond all measure is replaced at once, and killed when it does not end', () => {
    startReady(2);
    const [old, other] = children as [Child, Child];
    old.beat({ memory: 2_001 });
    vi.advanceTimersByTime(250);
    expect(children).toHaveLength(3);
    expect(old.drained).toBe(10_000);
    live(11_000, other);
    expect(old.signals).toEqual(['SIGKILL']);
    last().ready();
    expect(crew()).toEqual(['2 ready', '3 ready']);
  });

  it('beyond all measure does not wait for the successor that was started for it', () => {
    startReady(1);
    const [old] = children as [Child];
    for (let count = 0; count < 5; count++) old.beat({ memory: 1_500 });
    vi.advanceTimersByTime(250);
    expect(children).toHaveLength(2);
    old.beat({ memory: 2_500 });
    vi.advanceTimersByTime(250);
    expect(old.drained).toBe(10_000);
    old.end(0);
    expect(crew()).toEqual(['2 starting']);
    last().ready();
    live(5_000, last());
    expect(children).toHaveLength(2);
  });
});

describe('reload', () => {
  const settle = () => vi.advanceTimersByTimeAsync(0);

  it('replaces all, one after another, and there are always as many ready as are wanted', async () => {
    startReady(3);
    const reloaded = supervisor.reload();
    for (let round = 0; round < 3; round++) {
      await settle();
      expect(children).toHaveLength(4 + round);
      expect(children[round]?.drained).toBeUndefined();
      expect(crew().filter((state) => state.endsWith('ready'))).toHaveLength(3);
      last().ready();
      expect(children[round]?.drained).toBe(30_000);
      children[round]?.end(0);
    }
    expect(await reloaded).toEqual({ replaced: 3, stopped: null });
    expect(crew()).toHaveLength(3);
    expect(children).toHaveLength(6);
  });

  it('stops at the first whose successor does not become ready', async () => {
    startReady(2);
    const reloaded = supervisor.reload();
    await settle();
    last().ready();
    children[0]?.end(0);
    await settle();
    last().end(1);
    expect(await reloaded).toEqual({ replaced: 1, stopped: 'worker 2 was not replaced: exit code 1' });
    expect(crew().filter((state) => state.endsWith('ready'))).toHaveLength(2);
  });

  it('asked for twice while it is in progress is done once more: what was installed meanwhile runs at the end', async () => {
    startReady(1);
    const asked = [supervisor.reload()];
    await settle();
    asked.push(supervisor.reload(), supervisor.reload());
    for (let round = 0; round < 2; round++) {
      await settle();
      const old = children.at(-2);
      last().ready();
      old?.end(0);
    }
    expect(await Promise.all(asked)).toEqual([1, 1, 1].map((replaced) => ({ replaced, stopped: null })));
    expect(children).toHaveLength(3);
  });

  it('ends with the daemon, and says so', async () => {
    startReady(2);
    const reloaded = supervisor.reload();
    await settle();
    const stopped = supervisor.stop(1_000);
    for (const child of children) child.end(0);
    expect(await stopped).toBe(0);
    expect((await reloaded).stopped).toContain('the daemon stops');
    expect((await supervisor.reload()).stopped).toContain('stopping');
  });

  it('tries a worker at once where the breaker keeps them from being started', async () => {
    supervisor.scale(1);
    endEarly(5);
    const count = children.length;
    expect((await supervisor.reload()).stopped).toContain('workers do not stay');
    expect(children).toHaveLength(count + 1);
    last().ready();
    live(11_000, last());
    expect(supervisor.status.breaker).toBeNull();
  });
});

describe('the number of workers', () => {
  const told = () => children.map(({ sent }) => sent.at(-1));

  it('is told to all whenever one starts, ends or drains, so that the others take its computers at once', () => {
    supervisor.scale(2);
    children[0]?.ready();
    expect(told()).toEqual([{ type: 'workers', count: 2 }, undefined]);
    children[1]?.ready();
    expect(told()).toEqual([
      { type: 'workers', count: 2 },
      { type: 'workers', count: 2 },
    ]);
    children[1]?.end(null, 'SIGKILL');
    expect(told()[0]).toEqual({ type: 'workers', count: 1 });
    vi.advanceTimersByTime(250);
    expect(children).toHaveLength(3);
    expect(told()[0]).toEqual({ type: 'workers', count: 1 });
    last().ready();
    expect(told()).toEqual([2, 2, 2].map((count) => ({ type: 'workers', count })));
  });
});

describe('stop', () => {
  it('waits for the workers, kills the slow ones and says how many', async () => {
    supervisor.scale(2);
    for (const child of children) child.ready();
    const stopped = supervisor.stop(5_000);
    children[0]?.end(0);
    await vi.advanceTimersByTimeAsync(5_500);
    expect(await stopped).toBe(1);
    expect(children).toHaveLength(2);
    expect(entries.at(-1)?.message).toBe('ended: not ended 5 s after it was asked to');
  });

  it('asked for twice leaves the time that is less', async () => {
    supervisor.scale(1);
    last().ready();
    const stopped = supervisor.stop(5_000);
    supervisor.drainAll(60_000);
    expect(last().drained).toBe(5_000);
    supervisor.drainAll(1_000);
    expect(last().drained).toBe(1_000);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(await stopped).toBe(1);
  });

  it('does not wait for one that cannot even be killed', async () => {
    supervisor.scale(1);
    const child = last();
    child.ready();
    child.immortal = true;
    const stopped = supervisor.stop(1_000);
    await vi.advanceTimersByTimeAsync(1_000 + stopRest.killed + 500);
    expect(await stopped).toBe(1);
    expect(child.given).toBe(true);
    child.end(null, 'SIGKILL');
  });

  it('takes the word of one that has ended though a program of its own keeps its streams open', async () => {
    supervisor.scale(1);
    last().ready();
    const stopped = supervisor.stop(5_000);
    last().emit('exit', 0, null);
    await vi.advanceTimersByTimeAsync(1_500);
    expect(await stopped).toBe(0);
  });

  it('leaves whoever waits for it more patience than everything needs', () => {
    const watching = 250;
    const lastWords = 1_000;
    expect(stopRest.patience).toBeGreaterThan(
      2 * (stopRest.killed + stopRest.hook + stopRest.hub + watching + lastWords),
    );
  });

  it('starts none that waits for its restart', async () => {
    supervisor.scale(1);
    last().end(1);
    expect(await supervisor.stop(5_000)).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(children).toHaveLength(1);
    expect(() => supervisor.scale(2)).toThrow('stopping');
  });
});
