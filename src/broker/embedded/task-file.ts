import { closeSync, fdatasync, fdatasyncSync, fsyncSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite';
import { messageOf, WherryError } from '../../errors.js';
import type { QueueStatus } from '../communicator.js';

const sync = promisify(fdatasync);

/** A task as it stands in the file. */
export interface StoredTask {
  /** Its own in this file; the `id` is the sender's affair. */
  readonly number: number;
  readonly id: string;
  readonly queue: string;
  readonly body: Uint8Array;
  readonly sentAt: number;
  /** How often it was given to somebody before. */
  readonly attempts: number;
}

/** A task that was put aside. */
export interface StoredParkedTask extends StoredTask {
  readonly parkedAt: number;
  readonly reason: string;
}

/** Of one that nobody dealt with. */
export const hadAllAttempts = 'it was given to somebody as often as is allowed, and nobody dealt with it';

/** The layout of the file. */
const layout = 1;

/**
 * `place` is the order in a queue. `most_attempts` is what whoever has the task in hand allows. A task is `given` while
 * somebody has it; the next hub finds by it what was in hand when the last one died. The body stands last, so that what
 * is before it can be read without it.
 */
const tables = `
  create table tasks (
    number integer primary key autoincrement,
    id text not null,
    queue text not null,
    sent_at integer not null,
    state text not null default 'waiting' check (state in ('waiting', 'given', 'parked')),
    place integer not null,
    attempts integer not null default 0,
    most_attempts integer,
    parked_at integer,
    reason text,
    body blob not null
  );
  create index tasks_in_order on tasks (queue, state, place);
  pragma user_version = ${layout};
`;

const columns = `number, id, queue, body, sent_at as "sentAt", attempts`;

/** The durable queues of a profile: a SQLite file that only the hub opens. All calls are synchronous and short. */
export class TaskFile implements Disposable {
  readonly #path: string;
  readonly #database: DatabaseSyncInstance;
  #log: number | undefined;
  readonly #statements = new Map<string, Statement>();
  #lastPlace: number;

  /**
   * Opens the file, which is made when it does not exist. What was in hand when the last hub ended waits again, or is
   * parked when it has had all its attempts.
   * Errors: `store-newer` when a later version wrote it; `store-failed`, `disk-full`.
   */
  constructor(file: string, now: number) {
    this.#path = file;
    this.#database = open(file);
    this.#lastPlace = Number(this.#row('select coalesce(max(place), 0) as place from tasks').place);
    this.transaction(() => {
      this.#run(
        `update tasks set state = 'parked', parked_at = ?, reason = ? where state = 'given' and attempts >= most_attempts`,
        now,
        hadAllAttempts,
      );
      for (const { number } of this.#all(`select number from tasks where state = 'given' order by place`)) {
        this.putBack(Number(number));
      }
    });
  }

  /**
   * Does all of a work or nothing. It survives the end of this program, and a loss of power after the next `sync`.
   * Errors: those of the work; `disk-full`, `store-failed` (transient).
   */
  transaction<T>(work: () => T): T {
    try {
      this.#database.exec('begin immediate');
      const result = work();
      this.#database.exec('commit');
      return result;
    } catch (error) {
      // After some failures (disk full) SQLite has undone everything by itself.
      if (this.#database.isTransaction) this.#database.exec('rollback');
      throw failed('the tasks cannot be stored now', error);
    }
  }

  /**
   * Waits until everything that has been committed is on the disk, which is in SQLite's log or was carried over from it
   * after a wait of SQLite's own. That is done beside the event loop: some disks take a tenth of a second.
   * Errors: `disk-full`, `store-failed` (transient).
   */
  async sync(): Promise<void> {
    try {
      await sync(this.#openLog());
    } catch (error) {
      throw failed('the tasks cannot be stored now', error);
    }
  }

  /** The same on the spot. */
  syncNow(): void {
    try {
      fdatasyncSync(this.#openLog());
    } catch (error) {
      throw failed('the tasks cannot be stored now', error);
    }
  }

  /** SQLite's log stays the same file as long as this one is open. */
  #openLog(): number {
    if (this.#log === undefined) {
      this.#log = openSync(`${this.#path}-wal`, 'r');
      // Its name has to be on the disk too.
      const directory = openSync(dirname(this.#path), 'r');
      fsyncSync(directory);
      closeSync(directory);
    }
    return this.#log;
  }

  add(task: Pick<StoredTask, 'id' | 'queue' | 'body' | 'sentAt'>): number {
    const { lastInsertRowid } = this.#run(
      'insert into tasks (id, queue, body, sent_at, place) values (?, ?, ?, ?, ?)',
      ...[task.id, task.queue, task.body, task.sentAt, this.#nextPlace()],
    );
    return Number(lastInsertRowid);
  }

  /** Is there a task of this id in the queue, in whatever state? */
  has(queue: string, id: string): boolean {
    return this.#row('select count(*) as count from tasks where queue = ? and id = ?', queue, id).count !== 0;
  }

  /** The first tasks that wait in a queue: at most so many, and no more bytes than that, but at least one. */
  first(queue: string, { count, bytes }: { readonly count: number; readonly bytes: number }): StoredTask[] {
    const numbers = this.#all(
      `select number from tasks where queue = ? and state = 'waiting' order by place limit ?`,
      ...[queue, count],
    );
    return this.#whole<StoredTask>(numbers, columns, bytes);
  }

  /** Somebody has a task in hand, which counts as an attempt. */
  give(number: number, mostAttempts: number): void {
    this.#run(
      `update tasks set state = 'given', attempts = attempts + 1, most_attempts = ? where number = ?`,
      ...[mostAttempts, number],
    );
  }

  /** It has been dealt with. */
  remove(number: number): void {
    this.#run('delete from tasks where number = ?', number);
  }

  /** It waits again, at the end of its queue. */
  putBack(number: number): void {
    this.#run(`update tasks set state = 'waiting', place = ? where number = ?`, this.#nextPlace(), number);
  }

  /** It waits again where it stood, as if it had not been given to anybody. */
  putBackUntouched(number: number): void {
    this.#run(`update tasks set state = 'waiting', attempts = attempts - 1 where number = ?`, number);
  }

  park(number: number, reason: string, at: number): void {
    this.#run(`update tasks set state = 'parked', reason = ?, parked_at = ? where number = ?`, reason, at, number);
  }

  /** Tasks that were put aside, oldest first, after the first `offset`: at most so many, and no more bytes than that. */
  parked(
    queue: string,
    { count, bytes, offset }: { count: number; bytes: number; offset: number },
  ): StoredParkedTask[] {
    const numbers = this.#all(
      `select number from tasks where queue = ? and state = 'parked' order by parked_at, place limit ? offset ?`,
      ...[queue, count, offset],
    );
    return this.#whole<StoredParkedTask>(numbers, `${columns}, parked_at as "parkedAt", reason`, bytes);
  }

  /** Parked tasks wait again, with a full count of attempts. @returns how many */
  resend(queue: string, ids: readonly string[] | 'all'): number {
    const numbers = this.#parkedNumbers(queue, ids);
    for (const number of numbers) {
      this.#run(
        `update tasks set state = 'waiting', attempts = 0, parked_at = null, reason = null, place = ? where number = ?`,
        ...[this.#nextPlace(), number],
      );
    }
    return numbers.length;
  }

  /** Throws parked tasks away. @returns how many */
  drop(queue: string, ids: readonly string[] | 'all'): number {
    const numbers = this.#parkedNumbers(queue, ids);
    for (const number of numbers) this.remove(number);
    return numbers.length;
  }

  count(queue: string): Omit<QueueStatus, 'takers'> {
    const row = this.#row(
      `select count(*) filter (where state = 'waiting') as waiting, count(*) filter (where state = 'parked') as parked
        from tasks where queue = ?`,
      queue,
    );
    return { waiting: Number(row.waiting), parked: Number(row.parked) };
  }

  [Symbol.dispose](): void {
    if (this.#log !== undefined) closeSync(this.#log);
    this.#log = undefined;
    this.#database.close();
  }

  #parkedNumbers(queue: string, ids: readonly string[] | 'all'): number[] {
    const wanted = ids === 'all' ? '' : 'and id in (select value from json_each(?))';
    const rows = this.#all(
      `select number from tasks where queue = ? and state = 'parked' ${wanted} order by parked_at, place`,
      ...(ids === 'all' ? [queue] : [queue, JSON.stringify(ids)]),
    );
    return rows.map(({ number }) => Number(number));
  }

  #nextPlace(): number {
    this.#lastPlace += 1;
    return this.#lastPlace;
  }

  #statement(text: string): Statement {
    let statement = this.#statements.get(text);
    if (statement === undefined) {
      statement = this.#database.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #run(text: string, ...values: readonly Value[]) {
    return this.#statement(text).run(...values);
  }

  #all(text: string, ...values: readonly Value[]): Row[] {
    return this.#statement(text).all(...values) as Row[];
  }

  #row(text: string, ...values: readonly Value[]): Row {
    return this.#statement(text).get(...values) as Row;
  }

  /** Whole tasks as long as their bodies are no more than so many bytes; the first always. */
  #whole<Task extends StoredTask>(numbers: readonly Row[], columns: string, bytes: number): Task[] {
    const tasks: Task[] = [];
    let length = 0;
    for (const { number } of numbers) {
      const task = this.#row(`select ${columns} from tasks where number = ?`, Number(number)) as unknown as Task;
      length += task.body.length;
      if (length > bytes && tasks.length > 0) break;
      tasks.push(task);
    }
    return tasks;
  }
}

type Statement = ReturnType<DatabaseSyncInstance['prepare']>;
type Value = null | number | string | Uint8Array;
type Row = Readonly<Record<string, unknown>>;

function open(file: string): DatabaseSyncInstance {
  let database: DatabaseSyncInstance | undefined;
  try {
    // SQLite gives the files beside it the rights of this one.
    closeSync(openSync(file, 'a', 0o600));
    database = new DatabaseSync(file);
    // Nobody else has business here; a person who looks into it must not stop us for long.
    database.exec('pragma busy_timeout = 500');
    database.exec('pragma journal_mode = wal');
    // The disk is waited for by `sync`.
    database.exec('pragma synchronous = normal');
    const version = Number((database.prepare('pragma user_version').get() as Row).user_version);
    if (version > layout) {
      throw new WherryError('store-newer', `${file} was written by a newer Wherry`, {
        hint: 'install the newer version',
      });
    }
    if (version < layout) database.exec(`begin; ${tables} commit`);
    return database;
  } catch (error) {
    database?.close();
    throw failed(`cannot open ${file}`, error);
  }
}

/** What is wrong with the file or the disk below it. */
function failed(what: string, error: unknown): WherryError {
  if (error instanceof WherryError) return error;
  const reason = messageOf(error);
  if (/disk is full|no space|ENOSPC|EDQUOT/i.test(reason)) {
    return new WherryError('disk-full', `${what}: ${reason}`, {
      transient: true,
      hint: 'make room on the disk of the home of Wherry',
      cause: error,
    });
  }
  return new WherryError('store-failed', `${what}: ${reason}`, {
    transient: true,
    hint: 'check the space and rights of the home of Wherry',
    cause: error,
  });
}
