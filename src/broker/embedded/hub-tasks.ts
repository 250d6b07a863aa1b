import { WherryError } from '../../errors.js';
import { encodeBody } from '../body.js';
import { done, failed, type HubClient } from './hub-client.js';
import type { ToHub } from './protocol.js';
import { SharedCommit } from './shared-commit.js';
import { hadAllAttempts, type StoredTask, TaskFile } from './task-file.js';

type Of<Type extends ToHub['type']> = Extract<ToHub, { type: Type }>;

/** Somebody who takes tasks of a queue. */
interface Taker {
  readonly client: HubClient;
  readonly id: number;
  readonly queue: string;
  readonly prefetch: number;
  /** Times that a task is given to somebody before it is parked. */
  readonly attempts: number;
  /** Tasks that it has been given and has not dealt with. */
  readonly inHand: Set<Delivery>;
}

/** A task that a taker has been given. */
interface Delivery {
  readonly id: number;
  readonly task: StoredTask;
  readonly taker: Taker;
  begun: boolean;
}

/** Who waits for the answer to a task. */
interface Waiter {
  readonly client: HubClient;
  readonly id: number;
}

/** Most that is given out in one turn: the hub has more to do. */
const perTurn = { count: 100, bytes: 4 * 1_048_576 } as const;

/** One who has not taken so many bytes yet is given no more tasks until it has. */
const mostUnread = 1_048_576;

/** Parked tasks that are told at a time. */
const perList = { count: 1_000, bytes: 4 * 1_048_576 } as const;

/** Milliseconds until the file is tried again when it could not be written. */
const pause = 1_000;

/** The hub's tasks: who takes them, who has which in hand, who waits for an answer. What must not be lost is in the file. */
export class HubTasks {
  readonly #path: string;
  readonly #now: () => number;
  readonly #onProblem: (error: unknown) => void;
  readonly #commit = new SharedCommit(
    () => this.#file,
    () => this.#giveOut(),
  );
  #openFile: TaskFile | undefined;
  readonly #takers = new Map<string, Taker[]>();
  readonly #deliveries = new Map<number, Delivery>();
  readonly #waiters = new Map<number, Waiter>();
  /** Queues in which something may be given out. */
  readonly #dirty = new Set<string>();
  /** Takers that have to read first what they were told. */
  readonly #slow = new WeakSet<Taker>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #lastDelivery = 0;
  #closed = false;

  constructor(path: string, now: () => number, onProblem: (error: unknown) => void) {
    this.#path = path;
    this.#now = now;
    this.#onProblem = onProblem;
  }

  /** Opened when it is needed first: many a hub only lives for one call. */
  get #file(): TaskFile {
    this.#openFile ??= new TaskFile(this.#path, this.#now());
    return this.#openFile;
  }

  send(client: HubClient, { id, queue, task, answered, again }: Of<'send-task'>, body: Uint8Array): void {
    this.#commit.add({
      work: () => {
        const onDisk = () => {
          if (!answered) done(client, id);
        };
        if (again && this.#file.has(queue, task)) return { onDisk };
        const number = this.#file.add({ id: task, queue, body, sentAt: this.#now() });
        const committed = () => {
          if (answered) this.#waiters.set(number, { client, id });
          this.#dirty.add(queue);
        };
        return { committed, onDisk };
      },
      fail: (error) => failed(client, id, error),
    });
  }

  take(client: HubClient, { id, taker, queue, prefetch, attempts }: Of<'take'>): void {
    try {
      // A file that cannot be opened is told to the one who wants to take from it.
      void this.#file;
    } catch (error) {
      failed(client, id, error);
      return;
    }
    done(client, id);
    const takers = this.#takers.get(queue) ?? [];
    // Whoever connects again may ask twice: for what he had, and for what he was about to ask for.
    if (takers.some((other) => other.client === client && other.id === taker)) return;
    takers.push({ client, id: taker, queue, prefetch, attempts, inHand: new Set() });
    this.#takers.set(queue, takers);
    this.#wake(queue);
  }

  takeNoMore(client: HubClient, { id, taker }: Of<'take-no-more'>): void {
    for (const gone of this.#leave((other) => other.client === client && other.id === taker)) {
      for (const delivery of gone.inHand) if (!delivery.begun) this.#giveBack(delivery);
    }
    done(client, id);
  }

  begun(client: HubClient, { delivery: id }: Of<'begun'>): void {
    const delivery = this.#deliveries.get(id);
    if (delivery?.taker.client === client) delivery.begun = true;
  }

  accept(client: HubClient, { id, delivery }: Of<'accept'>, answer: Uint8Array): void {
    this.#deal(client, id, delivery, ({ number }) => {
      this.#file.remove(number);
      return () => this.#answer(number, (waiter) => done(waiter.client, waiter.id, answer));
    });
  }

  refuse(client: HubClient, { id, delivery, failure }: Of<'refuse'>): void {
    this.#deal(client, id, delivery, ({ number }) => {
      this.#file.remove(number);
      return () => this.#answer(number, (waiter) => waiter.client.send({ type: 'failed', id: waiter.id, failure }));
    });
  }

  park(client: HubClient, { id, delivery, reason }: Of<'park'>): void {
    this.#deal(client, id, delivery, ({ number }) => {
      this.#file.park(number, reason, this.#now());
      return () => undefined;
    });
  }

  giveBack(client: HubClient, { id, delivery: number }: Of<'give-back'>): void {
    const delivery = this.#deliveries.get(number);
    if (delivery?.taker.client === client) this.#giveBack(delivery);
    done(client, id);
  }

  /** Tells some of them; whoever wants more asks again. */
  parked(client: HubClient, { id, queue, limit, offset }: Of<'parked'>): void {
    const { count, bytes } = perList;
    this.#look(client, id, () => {
      const rows = this.#file.parked(queue, { count: Math.min(limit, count), bytes, offset });
      return rows.map(({ number: _, body, ...task }) => ({ ...task, body: Buffer.from(body).toString('utf8') }));
    });
  }

  resend(client: HubClient, { id, queue, tasks }: Of<'resend'>): void {
    this.#change(client, id, queue, () => this.#file.resend(queue, tasks));
  }

  drop(client: HubClient, { id, queue, tasks }: Of<'drop'>): void {
    this.#change(client, id, queue, () => this.#file.drop(queue, tasks));
  }

  status(client: HubClient, { id, queue }: Of<'queue-status'>): void {
    this.#look(client, id, () => ({ ...this.#file.count(queue), takers: this.#takers.get(queue)?.length ?? 0 }));
  }

  /** Nobody waits for the answer any more; the task itself stands. */
  forget(client: HubClient, id: number): void {
    for (const [number, waiter] of this.#waiters) {
      if (waiter.client === client && waiter.id === id) this.#waiters.delete(number);
    }
  }

  /**
   * A client has gone: what it had in hand goes to others.
   * @param untouched is it certain that it had not begun what it did not say it had?
   */
  leave(client: HubClient, { untouched }: { readonly untouched: boolean }): void {
    if (this.#closed) return;
    for (const { inHand } of this.#leave((taker) => taker.client === client)) {
      // It may have begun the next and died before we heard of it: then that was an attempt.
      const next = [...inHand].find(({ begun }) => !begun);
      if (!untouched && next !== undefined) next.begun = true;
    }
    for (const delivery of this.#deliveries.values()) {
      if (delivery.taker.client === client) this.#giveBack(delivery);
    }
    for (const [number, waiter] of this.#waiters) if (waiter.client === client) this.#waiters.delete(number);
  }

  /** Writes what is still to be written; what is in hand then is found by the next hub. */
  close(): void {
    this.#closed = true;
    this.#commit.close();
    for (const retry of this.#retries) clearTimeout(retry);
    this.#openFile?.[Symbol.dispose]();
  }

  /** Takers that shall get nothing any more. @returns them */
  #leave(isGone: (taker: Taker) => boolean): Taker[] {
    const gone: Taker[] = [];
    for (const [queue, takers] of this.#takers) {
      gone.push(...takers.filter(isGone));
      const left = takers.filter((taker) => !isGone(taker));
      if (left.length > 0) this.#takers.set(queue, left);
      else this.#takers.delete(queue);
    }
    return gone;
  }

  /** Does with a task in hand what its taker says, once. */
  #deal(client: HubClient, id: number, number: number, work: (task: StoredTask) => () => void): void {
    const delivery = this.#deliveries.get(number);
    if (delivery?.taker.client !== client) {
      failed(client, id, notYours());
      return;
    }
    this.#release(delivery);
    this.#commit.add({
      work: () => {
        const tell = work(delivery.task);
        const committed = () => {
          tell();
          done(client, id);
        };
        return { committed };
      },
      fail: (error) => {
        // It is still in hand, and its taker may try again.
        this.#deliveries.set(number, delivery);
        delivery.taker.inHand.add(delivery);
        if (client.over) this.#giveBack(delivery);
        failed(client, id, error);
      },
    });
  }

  /** Gives a task to somebody else: as another attempt when it was begun, else as if nobody had had it. */
  #giveBack(delivery: Delivery): void {
    this.#release(delivery);
    this.#putBack(delivery);
  }

  #putBack(delivery: Delivery): void {
    const { task, taker, begun } = delivery;
    this.#commit.add({
      work: () => {
        if (begun && task.attempts + 1 >= taker.attempts) this.#file.park(task.number, hadAllAttempts, this.#now());
        else if (begun) this.#file.putBack(task.number);
        else this.#file.putBackUntouched(task.number);
        return { committed: () => this.#dirty.add(task.queue) };
      },
      fail: (error) => {
        this.#onProblem(error);
        this.#later(() => this.#putBack(delivery));
      },
    });
  }

  #release(delivery: Delivery): void {
    this.#deliveries.delete(delivery.id);
    delivery.taker.inHand.delete(delivery);
    this.#dirty.add(delivery.taker.queue);
  }

  #answer(number: number, tell: (waiter: Waiter) => void): void {
    const waiter = this.#waiters.get(number);
    this.#waiters.delete(number);
    if (waiter !== undefined) tell(waiter);
  }

  #look(client: HubClient, id: number, question: () => unknown): void {
    try {
      // What was asked to be written before is seen.
      this.#commit.flush();
      done(client, id, Buffer.from(JSON.stringify(question())));
    } catch (error) {
      failed(client, id, error);
    }
  }

  #change(client: HubClient, id: number, queue: string, change: () => number): void {
    this.#commit.add({
      work: () => {
        const count = change();
        return {
          committed: () => this.#dirty.add(queue),
          onDisk: () => done(client, id, encodeBody(count)),
        };
      },
      fail: (error) => failed(client, id, error),
    });
  }

  #wake(queue: string): void {
    this.#dirty.add(queue);
    this.#commit.wake();
  }

  #later(work: () => void): void {
    if (this.#closed) return;
    const timer = setTimeout(() => {
      this.#retries.delete(timer);
      work();
    }, pause);
    this.#retries.add(timer.unref());
  }

  /** Gives what waits to those who take it. */
  #giveOut(): void {
    if (this.#closed) return;
    const queues = [...this.#dirty];
    this.#dirty.clear();
    for (const queue of queues) {
      try {
        this.#giveOutOf(queue);
      } catch (error) {
        this.#onProblem(error);
        this.#later(() => this.#wake(queue));
      }
    }
  }

  #giveOutOf(queue: string): void {
    const places = this.#freePlaces(queue);
    if (places.length === 0) return;
    const tasks = this.#file.first(queue, { count: Math.min(places.length, perTurn.count), bytes: perTurn.bytes });
    if (tasks.length === 0) return;
    const given = tasks.flatMap((task, index) => {
      const taker = places[index];
      return taker === undefined ? [] : [{ task, taker }];
    });
    // Counted before they go out: a task that kills whoever takes it must not come for ever.
    this.#file.transaction(() => {
      for (const { task, taker } of given) this.#file.give(task.number, taker.attempts);
    });
    for (const { task, taker } of given) this.#give(task, taker);
    // Who was given one is the last to be given the next, so that nobody goes short where there are few.
    const served = new Set(given.map(({ taker }) => taker));
    this.#takers.get(queue)?.sort((one, other) => Number(served.has(one)) - Number(served.has(other)));
    // There may be more.
    this.#wake(queue);
  }

  /** Who may be given a task, in turn; a taker stands there as often as it may be given one. */
  #freePlaces(queue: string): Taker[] {
    const takers = this.#takers.get(queue) ?? [];
    const places: Taker[] = [];
    const room = new Map(takers.map((taker) => [taker, this.#roomOf(taker)]));
    for (let added = true; added && places.length < perTurn.count; ) {
      added = false;
      for (const taker of takers) {
        const left = room.get(taker) ?? 0;
        if (left <= 0) continue;
        places.push(taker);
        room.set(taker, left - 1);
        added = true;
      }
    }
    return places;
  }

  #roomOf(taker: Taker): number {
    if (taker.client.unread <= mostUnread) return taker.prefetch - taker.inHand.size;
    if (!this.#slow.has(taker)) {
      this.#slow.add(taker);
      taker.client.onceTaken(() => {
        this.#slow.delete(taker);
        this.#wake(taker.queue);
      });
    }
    return 0;
  }

  #give(task: StoredTask, taker: Taker): void {
    this.#lastDelivery += 1;
    const delivery: Delivery = { id: this.#lastDelivery, task: { ...task, body: none }, taker, begun: false };
    this.#deliveries.set(delivery.id, delivery);
    taker.inHand.add(delivery);
    const { number, id, attempts, sentAt, body } = task;
    const awaited = this.#waiters.has(number);
    taker.client.send(
      { type: 'task', taker: taker.id, delivery: delivery.id, task: id, attempt: attempts + 1, sentAt, awaited },
      body,
    );
  }
}

/** The body of a task in hand is not kept in memory. */
const none = new Uint8Array();

function notYours(): WherryError {
  return new WherryError('broker-lost', 'this task has gone back to its queue meanwhile', { transient: true });
}
