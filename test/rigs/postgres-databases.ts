import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { StorePlace } from '../../src/store/store.js';

/** How the owner of a test's own server is called. */
export const superuser = 'wherry';

/** The databases of a server of the test's own, seen by the owner of the server. */
export class PostgresDatabases {
  readonly #port: number;
  readonly #password: string | undefined;

  constructor(port: number, password?: string) {
    this.#port = port;
    this.#password = password;
  }

  /** `postgres://user@host:port/database`, without a password. */
  url(database: string, user = superuser): string {
    return `postgres://${user}@127.0.0.1:${this.#port}/${database}`;
  }

  /** A database as a store is opened with it. */
  place(database: string): Extract<StorePlace, { kind: 'postgres' }> {
    const password = this.#password === undefined ? {} : { password: this.#password };
    return { kind: 'postgres', url: this.url(database), ...password };
  }

  /** Makes a database, quickly when `template` names one that nobody is connected to. @returns its name */
  async create(options: { readonly template?: string; readonly name?: string } = {}): Promise<string> {
    const { template = 'template0', name = `test_${randomUUID().replaceAll('-', '')}` } = options;
    await this.query(`create database ${name} template ${template}`);
    return name;
  }

  /** Removes a database, whoever is connected to it. */
  async drop(name: string): Promise<void> {
    await this.query(`drop database if exists ${name} with (force)`);
  }

  /** Carries out a statement. */
  async query<Row extends object = Record<string, unknown>>(statement: string, database = 'postgres'): Promise<Row[]> {
    const password = this.#password ?? 'none';
    const client = new pg.Client({ host: '127.0.0.1', port: this.#port, user: superuser, database, password });
    // It may be about to end.
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(statement)).rows;
    } finally {
      await client.end();
    }
  }
}
