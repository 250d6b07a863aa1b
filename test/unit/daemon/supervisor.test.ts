import type { ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogEntry } from '../../../src/daemon/log.js';
import { Supervisor } from '../../../src/daemon/supervisor.js';

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
    if (signal === 'SIGKILL') this.end(null, 'SIGKILL');
    return true;
  }

  ready(): void {
    this.emit('message', { type: 'ready' });
  }

  beat(): void {
    this.emit('message', { type: 'heartbeat', delayP99: 1, delayMax: 2, memory: 3 });
  }

  end(exitCode: number | null, signal: string | null = null): void {
    this.emit('close', exitCode, signal);
  }
}

let children: Child[];
let entries: LogEntry[];
let supervisor: Supervisor;

beforeEach(() => {
  vi.useFakeTimers();
  children = [];
  entries = [];
  supervisor = new Supervisor({
    random: () => 1,
    log: (entry) => entries.push(entry),
    fork: () => {
      const child = new Child(100 + children.length);
      children.push(child);
      return child as unknown as ChildProcess;
    },
  });
});

afterEach(async () => {
  const stopped = supervisor.stop(0);
  await vi.advanceTimersByTimeAsync(1_000);
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

  it('starts none that waits for its restart', async () => {
    supervisor.scale(1);
    last().end(1);
    expect(await supervisor.stop(5_000)).toBe(0);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(children).toHaveLength(1);
    expect(() => supervisor.scale(2)).toThrow('stopping');
  });
});
