import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SharedCommit } from '../../../../src/broker/embedded/shared-commit.js';
import { hadAllAttempts, TaskFile } from '../../../../src/broker/embedded/task-file.js';
import { temporaryDirectory } from './world.js';

let directory: ReturnType<typeof temporaryDirectory>;
let file: string;
beforeEach(() => {
  directory = temporaryDirectory();
  file = path.join(directory.path, 'tasks.sqlite');
});
afterEach(() => directory[Symbol.dispose]());

const body = Buffer.from('{"number":1}');
const all = { count: 100, bytes: 1_000_000 };
const idsOf = (tasks: readonly { id: string }[]) => tasks.map(({ id }) => id);
const add = (tasks: TaskFile, ...ids: string[]) => ids.map((id) => tasks.add({ id, queue: 'work', body, sentAt: 7 }));

describe('the file of tasks', () => {
  it('gives what was put into it, in order', () => {
    using tasks = new TaskFile(file, 0);
    add(tasks, 'a', 'b', 'c');
    tasks.add({ id: 'other', queue: 'other', body, sentAt: 8 });
    expect(idsOf(tasks.first('work', all))).toEqual(['a', 'b', 'c']);
    expect(tasks.first('work', { ...all, count: 1 })).toMatchObject([
      { id: 'a', queue: 'work', sentAt: 7, attempts: 0 },
    ]);
    expect(Buffer.from(tasks.first('other', all)[0]?.body ?? []).toString()).toBe('{"number":1}');
  });

  it('gives no more bytes than it is asked for, but at least one task', () => {
    using tasks = new TaskFile(file, 0);
    add(tasks, 'a', 'b', 'c', 'd');
    expect(idsOf(tasks.first('work', { count: 100, bytes: 1 }))).toEqual(['a']);
    expect(idsOf(tasks.first('work', { count: 100, bytes: 2 * body.length }))).toEqual(['a', 'b']);
  });

  it('lets what was in hand when its hub died wait at the end, counted, or parks it', () => {
    {
      using tasks = new TaskFile(file, 0);
      const [a, b, c] = add(tasks, 'a', 'b', 'c', 'd');
      for (const [number, most] of [
        [a, 1],
        [b, 2],
        [c, 2],
      ] as const) {
        tasks.give(number ?? 0, most);
      }
      tasks.putBackUntouched(c ?? 0);
    }
    using tasks = new TaskFile(file, 99);
    expect(tasks.first('work', all).map(({ id, attempts }) => [id, attempts])).toEqual([
      ['c', 0],
      ['d', 0],
      ['b', 1],
    ]);
    expect(tasks.parked('work', { ...all, offset: 0 })).toMatchObject([
      { id: 'a', attempts: 1, parkedAt: 99, reason: hadAllAttempts },
    ]);
    expect(tasks.count('work')).toEqual({ waiting: 3, parked: 1 });
  });

  it('undoes a work that fails', () => {
    using tasks = new TaskFile(file, 0);
    const fail = () => {
      add(tasks, 'a');
      throw new Error('no');
    };
    expect(() => tasks.transaction(fail)).toThrow('no');
    expect(tasks.count('work')).toEqual({ waiting: 0, parked: 0 });
    tasks.transaction(() => add(tasks, 'b'));
    expect(idsOf(tasks.first('work', all))).toEqual(['b']);
  });

  it('is refused when a newer version wrote it, or it is no database', () => {
    new TaskFile(file, 0)[Symbol.dispose]();
    const database = new DatabaseSync(file);
    database.exec('pragma user_version = 99');
    database.close();
    expect(() => new TaskFile(file, 0)).toThrow(expect.objectContaining({ code: 'store-newer' }));
    const other = path.join(directory.path, 'other.sqlite');
    writeFileSync(other, 'this is no database, and longer than the header of one would be'.repeat(50));
    expect(() => new TaskFile(other, 0)).toThrow(expect.objectContaining({ code: 'store-failed' }));
  });
});

describe('works of one turn', () => {
  const turn = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));

  it('share one transaction; those that must wait for the disk are told when it has answered', async () => {
    using tasks = new TaskFile(file, 0);
    const transaction = vi.spyOn(tasks, 'transaction');
    const commit = new SharedCommit(
      () => tasks,
      () => undefined,
    );
    let answer: () => void = () => undefined;
    const disk = vi.spyOn(tasks, 'sync').mockImplementation(() => new Promise((resolve) => (answer = resolve)));
    const told: string[] = [];
    const write = (id: string) => {
      const work = () => {
        add(tasks, id);
        return { committed: () => void told.push(`${id} committed`), onDisk: () => void told.push(`${id} on disk`) };
      };
      commit.add({ work, fail: () => told.push('failed') });
    };
    write('a');
    write('b');
    expect(told).toEqual([]);
    await turn();
    expect(transaction).toHaveBeenCalledTimes(1);
    write('c');
    await turn();
    expect(told.splice(0)).toEqual(['a committed', 'b committed', 'c committed']);
    expect(disk).toHaveBeenCalledTimes(1);
    answer();
    await turn();
    // What came meanwhile needs a wait of its own.
    expect(told.splice(0)).toEqual(['a on disk', 'b on disk']);
    expect(disk).toHaveBeenCalledTimes(2);
    answer();
    await turn();
    expect(told).toEqual(['c on disk']);
  });

  it('are told on the spot when it closes, once', async () => {
    using tasks = new TaskFile(file, 0);
    const commit = new SharedCommit(
      () => tasks,
      () => undefined,
    );
    const told: string[] = [];
    const work = () => {
      add(tasks, 'a');
      return { onDisk: () => void told.push('on disk') };
    };
    commit.add({ work, fail: () => told.push('failed') });
    commit.flush();
    expect(told).toEqual([]);
    commit.close();
    expect(told).toEqual(['on disk']);
    await turn();
    expect(told).toEqual(['on disk']);
  });

  it('fail alone: the others are written', async () => {
    using tasks = new TaskFile(file, 0);
    const commit = new SharedCommit(
      () => tasks,
      () => undefined,
    );
    const told: string[] = [];
    for (const id of ['a', 'bad', 'c']) {
      const work = () => {
        add(tasks, id);
        if (id === 'bad') throw new Error('cannot be written');
        return { committed: () => void told.push(id) };
      };
      commit.add({ work, fail: () => void told.push('failed') });
    }
    await turn();
    expect(told).toEqual(['a', 'failed', 'c']);
    expect(idsOf(tasks.first('work', all))).toEqual(['a', 'c']);
  });

  it('fail when the disk does', async () => {
    using tasks = new TaskFile(file, 0);
    vi.spyOn(tasks, 'sync').mockRejectedValue(new Error('the disk is gone'));
    const commit = new SharedCommit(
      () => tasks,
      () => undefined,
    );
    const told: unknown[] = [];
    commit.add({ work: () => ({ onDisk: () => told.push('on disk') }), fail: (error) => told.push(error) });
    await turn();
    expect(told).toEqual([new Error('the disk is gone')]);
  });
});
