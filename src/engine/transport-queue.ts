import { setTimeout as delay } from 'node:timers/promises';
import Bottleneck from 'bottleneck';
import { messageOf, WherryError } from '../errors.js';
import type { Connection } from '../plugin/transport.js';
import { writeEvents } from '../store/events.js';
import type { Store } from '../store/store.js';
import { isStoreTrouble } from '../store/store-trouble.js';
import { backoff, waitAfter } from './backoff.js';
import { ComputerUnavailable, heldError } from './computer-unavailable.js';
import type { LoadedComputer } from './loaded-computer.js';

export interface TransportQueueOptions {
  readonly store: Store;
  readonly now: () => number;
  readonly random: () => number;
  /** Milliseconds that an unused connection stays open. */
  readonly linger?: number;
  /** Waits until a moment of `now` or the signal; by default time passes by itself. */
  readonly sleep?: (until: number, signal: AbortSignal) => Promise<void>;
}

/** Milliseconds until an opening must have succeeded. */
const openDeadline = 60_000;

/** Errors of an opening that only a person can mend: no further try is made before the hold is lifted. */
const holds: ReadonlySet<string> = new Set([
  'authentication-refused',
  'host-key-unknown',
  'host-key-changed',
  'bad-input',
  'plugin-missing',
  'plugin-broken',
]);

/**
 * The one connection per computer that everyone who needs the computer shares. Openings keep the safe interval
 * measured from the last opening, whichever driver made it; a used connection lingers; uses are bounded. A computer
 * that cannot be reached is left alone for a growing time, one that refuses the login until somebody lifts the hold.
 */
export class TransportQueue implements AsyncDisposable {
  readonly #options: TransportQueueOptions;
  readonly #entries = new Map<number, Entry>();

  constructor(options: TransportQueueOptions) {
    this.#options = options;
  }

  /**
   * Runs `work` on the computer's connection, opening it when needed, as one of at most `maxChannels` at once.
   * Errors: those of `work`; a ComputerUnavailable when no connection can be had now.
   * @param anyway also while the computer is held or left alone, as a test of it must
   */
  async use<T>(
    computer: LoadedComputer,
    signal: AbortSignal,
    work: (connection: Connection) => Promise<T>,
    priority = 5,
    anyway = false,
  ): Promise<T> {
    const entry = this.#entry(computer);
    return entry.channels.schedule({ priority }, async () => {
      signal.throwIfAborted();
      const connection = await this.#connection(entry, computer, signal, anyway).catch((error: unknown) => {
        if (signal.aborted) throw signal.reason;
        throw isStoreTrouble(error) ? error : new ComputerUnavailable(computer.config.label, error);
      });
      entry.users++;
      clearTimeout(entry.idle);
      try {
        const result = await work(connection);
        await this.#proven(entry, computer);
        return result;
      } catch (error) {
        if (connection.lost.aborted && !entry.closing) await this.#lost(entry, computer, connection);
        throw error;
      } finally {
        entry.users--;
        if (entry.users === 0) this.#linger(entry, computer);
      }
    });
  }

  /** Changes how many may use a connection at once, also while it is in use. */
  limit(computerId: number, maxChannels: number): void {
    this.#entries.get(computerId)?.channels.updateSettings({ maxConcurrent: maxChannels });
  }

  /** Whether a connection to this computer is open. */
  isOpen(computerId: number): boolean {
    const connection = this.#entries.get(computerId)?.connection;
    return connection !== undefined && !connection.lost.aborted;
  }

  /** Closes the connection of one computer, e.g. because its configuration changed or its lease ends. */
  async close(computerId: number): Promise<void> {
    const entry = this.#entries.get(computerId);
    if (entry === undefined) return;
    this.#entries.delete(computerId);
    entry.closing = true;
    clearTimeout(entry.idle);
    entry.abort.abort(new WherryError('aborted', 'the connection is being closed'));
    const opening = await entry.opening?.catch(() => undefined);
    await this.#end(computerId, entry.connection ?? opening, 'it is no longer needed here');
  }

  async #end(computerId: number, connection: Connection | undefined, reason: string): Promise<void> {
    if (connection === undefined) return;
    await connection.close();
    const { store, now } = this.#options;
    await writeEvents(store, null, now(), [{ type: 'computer.closed', computerId, data: { reason } }]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#entries.keys()].map((id) => this.close(id)));
  }

  #entry(computer: LoadedComputer): Entry {
    const { id } = computer.row;
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      const channels = new Bottleneck({ maxConcurrent: computer.limits.maxChannels });
      entry = { channels, users: 0, abort: new AbortController(), closing: false, proven: false };
      this.#entries.set(id, entry);
    }
    return entry;
  }

  async #connection(entry: Entry, computer: LoadedComputer, signal: AbortSignal, anyway: boolean): Promise<Connection> {
    // Whoever still stood in the queue when it was closed must not open a connection that nobody would ever close.
    entry.abort.signal.throwIfAborted();
    if (entry.connection !== undefined && !entry.connection.lost.aborted) return entry.connection;
    entry.opening ??= this.#reopen(entry, computer, anyway).finally(() => {
      entry.opening = undefined;
    });
    return abortable(entry.opening, signal);
  }

  async #reopen(entry: Entry, computer: LoadedComputer, anyway: boolean): Promise<Connection> {
    if (entry.connection !== undefined) await this.#lost(entry, computer, entry.connection);
    return this.#open(entry, computer, anyway);
  }

  /**
   * Waits until a connection may be begun and writes down that it is: of several drivers that wait for the same moment
   * one begins, the others wait again.
   * @returns when it began
   */
  async #turn(entry: Entry, computer: LoadedComputer, anyway: boolean): Promise<number> {
    const { store, now } = this.#options;
    const { id } = computer.row;
    const interval = computer.limits.safeOpenInterval;
    for (;;) {
      const { opened_at, open_after, hold } = await store
        .selectFrom('computers')
        .select(['opened_at', 'open_after', 'hold'])
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      if (hold !== null && !anyway) throw heldError(computer.config.label, hold);
      const at = now();
      // Bounded, for a clock that was set back.
      const wait = Math.max(
        Math.min((opened_at ?? 0) + interval - at, interval),
        anyway ? 0 : Math.min((open_after ?? 0) - at, 2 * backoff.ceiling),
      );
      if (wait > 0) await this.#pause(at + wait, wait, entry.abort.signal);
      const began = now();
      const taken = await store
        .updateTable('computers')
        .set({ opened_at: began })
        .where('id', '=', id)
        .where('hold', hold === null ? 'is' : '=', hold)
        .where('opened_at', opened_at === null ? 'is' : '=', opened_at)
        .where('open_after', open_after === null ? 'is' : '=', open_after)
        .executeTakeFirst();
      if (taken.numUpdatedRows === 1n) return began;
    }
  }

  /** Errors: the reason of the signal. */
  async #pause(until: number, wait: number, signal: AbortSignal): Promise<void> {
    const { sleep } = this.#options;
    if (sleep === undefined) return delay(wait, undefined, { signal });
    await sleep(until, signal);
    signal.throwIfAborted();
  }

  async #open(entry: Entry, computer: LoadedComputer, anyway: boolean): Promise<Connection> {
    const { store, now } = this.#options;
    const { id } = computer.row;
    const began = await this.#turn(entry, computer, anyway);
    try {
      const connection = await computer.transport.open(computer.connectionSettings, {
        timeout: openDeadline,
        signal: entry.abort.signal,
      });
      entry.connection = connection;
      entry.proven = false;
      await writeEvents(store, null, now(), [
        { type: 'computer.opened', computerId: id, data: { durationMs: now() - began } },
      ]);
      return connection;
    } catch (error) {
      const isOurs = entry.abort.signal.aborted || isStoreTrouble(error);
      if (!isOurs) await this.#failed(computer, error);
      throw error;
    }
  }

  async #failed(computer: LoadedComputer, error: unknown): Promise<void> {
    const { store, now, random } = this.#options;
    const { id } = computer.row;
    const code = error instanceof WherryError ? error.code : 'internal';
    const message = messageOf(error);
    const at = now();
    await store.transaction().execute(async (transaction) => {
      if (holds.has(code)) {
        const hint = error instanceof WherryError ? error.hint : undefined;
        const held = await transaction
          .updateTable('computers')
          .set({ hold: JSON.stringify({ code, message, hint, since: at }) })
          .where('id', '=', id)
          .where('hold', 'is', null)
          .executeTakeFirst();
        if (held.numUpdatedRows === 0n) return;
        await writeEvents(transaction, null, at, [{ type: 'computer.held', computerId: id, data: { code, message } }]);
        return;
      }
      const { open_failures } = await transaction
        .updateTable('computers')
        .set((columns) => ({ open_failures: columns('open_failures', '+', 1) }))
        .where('id', '=', id)
        .returning('open_failures')
        .executeTakeFirstOrThrow();
      const nextAt = at + waitAfter(open_failures, random());
      await transaction.updateTable('computers').set({ open_after: nextAt }).where('id', '=', id).execute();
      await writeEvents(transaction, null, at, [
        { type: 'computer.open-failed', computerId: id, data: { code, message, nextAt } },
      ]);
    });
  }

  /** The first use that ended well shows that the computer is back. */
  async #proven(entry: Entry, computer: LoadedComputer): Promise<void> {
    if (entry.proven) return;
    entry.proven = true;
    await this.#options.store
      .updateTable('computers')
      .set({ open_failures: 0, open_after: null })
      .where('id', '=', computer.row.id)
      .execute();
  }

  /** A connection that breaks counts as one failure, however many used it; the first is tried again at once. */
  async #lost(entry: Entry, computer: LoadedComputer, connection: Connection): Promise<void> {
    if (entry.connection !== connection) return;
    entry.connection = undefined;
    const { store, now, random } = this.#options;
    const { id } = computer.row;
    const at = now();
    const reason = messageOf(connection.lost.reason);
    await writeEvents(store, null, at, [{ type: 'computer.closed', computerId: id, data: { reason } }]);
    const { open_failures } = await store
      .updateTable('computers')
      .set((columns) => ({ open_failures: columns('open_failures', '+', 1) }))
      .where('id', '=', id)
      .returning('open_failures')
      .executeTakeFirstOrThrow();
    const openAfter = open_failures > 1 ? at + waitAfter(open_failures - 1, random()) : null;
    await store.updateTable('computers').set({ open_after: openAfter }).where('id', '=', id).execute();
    await connection.close();
  }

  #linger(entry: Entry, computer: LoadedComputer): void {
    clearTimeout(entry.idle);
    entry.idle = setTimeout(() => {
      if (entry.users > 0) return;
      const { connection } = entry;
      entry.connection = undefined;
      this.#end(computer.row.id, connection, 'it was not used for a while').catch((error: unknown) => {
        process.emitWarning(`closing the connection to ${computer.config.label} failed: ${messageOf(error)}`);
      });
    }, this.#options.linger ?? 30_000);
    entry.idle.unref();
  }
}

interface Entry {
  readonly channels: Bottleneck;
  readonly abort: AbortController;
  connection?: Connection | undefined;
  opening?: Promise<Connection> | undefined;
  /** Uses in progress; the connection is closed only when there are none. */
  users: number;
  idle?: NodeJS.Timeout;
  closing: boolean;
  /** Has a use of this connection ended well? */
  proven: boolean;
}

/** Waits for a promise, but not longer than the signal allows. */
function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
