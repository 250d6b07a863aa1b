import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CompiledQuery, sql } from 'kysely';
import { WherryError } from '../errors.js';
import { repeatableTransaction, type Store, type StoreTransaction } from './store.js';

type Work<T> = (transaction: StoreTransaction) => Promise<T>;

/** A work that somebody waits for. */
interface Write {
  readonly repeatable: boolean;
  /**
   * Does the work; gives what tells the one who waits, once it is committed.
   * @param isAlone nobody shares the transaction: when it fails, all of it may be undone
   */
  attempt(transaction: StoreTransaction, isAlone: boolean): Promise<() => void>;
  fail(error: unknown): void;
}

/** Most works of one transaction: others want to write as well, and this program has more to do. */
const mostAtOnce = 100;

/** Set while a work is being done. */
const working = new AsyncLocalStorage<true>();

/**
 * Carries out many small works in few transactions, in the order in which they were asked for: those of one turn of the
 * event loop, and those that came while a transaction was in progress, share the next. A work that fails is undone
 * alone; nobody is told of anything before it is committed.
 */
export class GroupCommit {
  readonly #store: Store;
  readonly #before: Work<void>;
  #waiting: Write[] = [];
  #busy = false;

  /** @param before begins every transaction; where it fails, all works of that transaction fail */
  constructor(store: Store, before: Work<void>) {
    this.#store = store;
    this.#before = before;
  }

  /**
   * Does a work in a transaction that it may share with others. The transaction survives a loss of power when at least
   * one of them is not repeatable.
   * Errors: those of the work, of `before` and of the commit; `internal` when a work asks for another.
   */
  write<T>(work: Work<T>, options: { readonly repeatable: boolean }): Promise<T> {
    if (working.getStore()) {
      throw new WherryError('internal', 'a work asks for a transaction of its own, which would wait for its end');
    }
    // The transaction begins on behalf of whoever came first; each work belongs to the one who asked for it.
    const bound = AsyncResource.bind((transaction: StoreTransaction) => working.run(true, () => work(transaction)));
    return new Promise<T>((resolve, reject) => {
      const attempt = async (transaction: StoreTransaction) => {
        const value = await bound(transaction);
        return () => resolve(value);
      };
      const undone = (error: unknown) => () => reject(error);
      this.#waiting.push({
        ...options,
        attempt: (transaction, isAlone) => (isAlone ? attempt(transaction) : apart(transaction, attempt, undone)),
        fail: reject,
      });
      if (!this.#busy) void this.#carryOutAll();
    });
  }

  async #carryOutAll(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      await nextTurn();
      await this.#commit(this.#waiting.splice(0, mostAtOnce));
    }
    this.#busy = false;
  }

  async #commit(writes: readonly Write[]): Promise<void> {
    const tell: (() => void)[] = [];
    const work = async (transaction: StoreTransaction) => {
      await this.#before(transaction);
      for (const write of writes) tell.push(await write.attempt(transaction, writes.length === 1));
    };
    try {
      if (writes.every(({ repeatable }) => repeatable)) await repeatableTransaction(this.#store, work);
      else await this.#store.transaction().execute(work);
    } catch (error) {
      for (const write of writes) write.fail(error);
      return;
    }
    for (const one of tell) one();
  }
}

const savepoint = CompiledQuery.raw('savepoint work');
const release = CompiledQuery.raw('release work');

/** Does something so that its failure can be undone alone. Errors: its own, where even that is not possible. */
async function apart<T>(transaction: StoreTransaction, work: Work<T>, undone: (error: unknown) => T): Promise<T> {
  await transaction.executeQuery(savepoint);
  try {
    const result = await work(transaction);
    await transaction.executeQuery(release);
    return result;
  } catch (error) {
    // After some failures (disk full) the database has undone everything: then all works have failed.
    await sql`rollback to work`.execute(transaction).catch(() => {
      throw error;
    });
    return undone(error);
  }
}
