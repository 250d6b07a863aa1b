import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { WherryError } from '../errors.js';
import type { PostgresAddress } from './postgres-address.js';
import { isLost, mayPass, refusalOf } from './postgres-troubles.js';

export interface SessionOptions {
  /** Milliseconds that a server is waited for which refuses or does not answer: it may be restarting. */
  readonly patience: number;
  /** Milliseconds that a program may be silent in the middle of a transaction before the server ends it. */
  readonly silence: number;
}

/** One for transactions, which are one at a time in any case; the others for everything else. */
export const mostSessions = 4;

/** Milliseconds after which a statement is ended: by the server, and by us where the server is gone without a word. */
const longestStatement = 60_000;
const answerExpected = 75_000;
/** Milliseconds for the login. */
const connectTimeout = 10_000;
/** Milliseconds that a statement waits for what another has locked. */
const lockTimeout = 20_000;
/** Milliseconds that an unused connection is kept. */
const keptFor = 30_000;

const oldestVersion = 15;
/** SQLSTATE of a setting that this server cannot have. */
const invalidValue = '22023';

/** A connection to the server while one thing is done with it. */
export interface Session {
  /** The reply to the last command. Errors: as `pg` gives them. */
  query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult>;
  /** Gives it back; a broken one is closed. May be called more than once. */
  release(): void;
  /** Closes it. */
  abandon(): void;
}

/** The connections of one program to its database. */
export class Sessions {
  readonly address: PostgresAddress;
  readonly #options: SessionOptions;
  readonly #pool: pg.Pool;
  readonly #prepared = new WeakSet<pg.PoolClient>();
  readonly #lent = new Set<LentSession>();
  #isClosed = false;

  constructor(address: PostgresAddress, password: string | undefined, options: SessionOptions) {
    this.address = address;
    this.#options = options;
    const { host, port, user, database, ssl } = address;
    this.#pool = new pg.Pool({
      host,
      port,
      user,
      database,
      ssl,
      // A function, so that no other source of passwords is asked and no dump of the options shows it.
      password: () => password ?? '',
      application_name: 'wherry',
      max: mostSessions,
      idleTimeoutMillis: keptFor,
      connectionTimeoutMillis: Math.max(1, Math.min(connectTimeout, options.patience)),
      query_timeout: answerExpected,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      types: { getTypeParser: parserOf },
      // As with a file, a store that is open keeps no program from ending.
      allowExitOnIdle: true,
    });
    // Unused connections break when the server ends; of those in use the next statement tells it.
    this.#pool.on('error', () => undefined);
    this.#pool.on('connect', (client) => client.on('error', (error) => noteEnding(client, error)));
  }

  /**
   * A connection that is ready for use. A server that restarts, or has no place left, is waited for.
   * Errors: `store-failed`, transient where it may pass.
   */
  async open(): Promise<Session> {
    const end = performance.now() + this.#options.patience;
    for (let pause = 50; ; pause = Math.min(2 * pause, 1_000)) {
      if (this.#isClosed) throw closed();
      try {
        return await this.#tryToOpen();
      } catch (error) {
        if (this.#isClosed) throw closed();
        if (!mayPass(error) || performance.now() + pause > end) throw refusalOf(error, this.address);
      }
      await delay(pause * (0.5 + Math.random()));
    }
  }

  async #tryToOpen(): Promise<Session> {
    const client = await this.#pool.connect();
    const session = new LentSession(client, () => this.#lent.delete(session));
    this.#lent.add(session);
    try {
      if (!this.#prepared.has(client)) await this.#prepare(session);
      this.#prepared.add(client);
      return session;
    } catch (error) {
      session.abandon();
      throw error;
    }
  }

  /** What the server does when we vanish: a lock must not be held by nobody. Errors: `store-failed`. */
  async #prepare(session: Session): Promise<void> {
    const settings = {
      idle_in_transaction_session_timeout: this.#options.silence,
      statement_timeout: longestStatement,
      lock_timeout: lockTimeout,
      tcp_keepalives_idle: 4,
      tcp_keepalives_interval: 2,
      tcp_keepalives_count: 3,
      tcp_user_timeout: 10_000,
    };
    const set = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', false)`);
    const { rows } = await session.query(
      `select current_setting('server_version_num')::integer / 10000 as version,
        current_setting('server_version') as name, current_setting('server_encoding') as encoding, ${set.join(', ')}`,
    );
    const { version, name, encoding } = rows[0] as { version: number; name: string; encoding: string };
    if (version < oldestVersion) {
      throw new WherryError(
        'store-failed',
        `the server of ${this.address.text} is PostgreSQL ${name}, which is too old`,
        {
          hint: `use PostgreSQL ${oldestVersion} or later`,
        },
      );
    }
    if (encoding !== 'UTF8') {
      throw new WherryError(
        'store-failed',
        `the database ${this.address.text} keeps text as ${encoding}, not as UTF8`,
        {
          hint: 'have another made: createdb --encoding=UTF8 --template=template0 NAME',
        },
      );
    }
    await this.#checkWhileWaiting(session);
  }

  /** Whoever vanished while it waited for the lock is not given it; not every system of a server can tell. */
  async #checkWhileWaiting(session: Session): Promise<void> {
    try {
      await session.query("set client_connection_check_interval = '2s'");
    } catch (error) {
      if ((error as { readonly code?: unknown }).code !== invalidValue) throw error;
    }
  }

  /** Ends all connections, also those in use: what is in progress on them fails, and the server undoes it. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const session of this.#lent) session.abandon();
    await this.#pool.end();
  }
}

/** Why connections were ended while nothing was asked, in the words of the server. */
const endings = new WeakMap<pg.ClientBase, Error>();

function noteEnding(client: pg.ClientBase, error: Error): void {
  // The first says why; what follows is that it has ended.
  if (!endings.has(client)) endings.set(client, error);
}

class LentSession implements Session {
  readonly #client: pg.PoolClient;
  readonly #returned: () => void;
  #isReturned = false;
  #isBroken = false;

  constructor(client: pg.PoolClient, returned: () => void) {
    this.#client = client;
    this.#returned = returned;
  }

  async query(text: string, values?: readonly unknown[]): Promise<pg.QueryResult> {
    if (this.#isReturned) throw closed();
    try {
      const result: pg.QueryResult | pg.QueryResult[] = await this.#client.query(text, values?.map(storable));
      // Several statements in one text have a reply each.
      return Array.isArray(result) ? (result.at(-1) as pg.QueryResult) : result;
    } catch (error) {
      this.#isBroken ||= isLost(error);
      throw endings.get(this.#client) ?? error;
    }
  }

  release(): void {
    if (this.#isReturned) return;
    this.#isReturned = true;
    this.#returned();
    this.#client.release(this.#isBroken);
  }

  abandon(): void {
    this.#isBroken = true;
    this.release();
  }
}

function closed(): WherryError {
  return new WherryError('store-failed', 'the database was closed');
}

/**
 * What SQLite takes as it is: text with a character in it that PostgreSQL has no place for, which only broken output
 * has, and moments between two milliseconds.
 */
function storable(value: unknown): unknown {
  if (typeof value === 'number') return Number.isFinite(value) ? Math.round(value) : value;
  return typeof value === 'string' && value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value;
}

/** Numbers of 64 bits, and sums of them, come as numbers: all of ours are far below 2⁵³. */
const numbers: ReadonlySet<number> = new Set([pg.types.builtins.INT8, pg.types.builtins.NUMERIC]);

function parserOf(type: number, format?: 'text' | 'binary'): (text: string) => unknown {
  return numbers.has(type) ? Number : pg.types.getTypeParser(type, format as 'text');
}
