import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrations } from '../../../src/store/migrations.js';
import { profileUuid } from '../../../src/store/profile-uuid.js';
import { openStore, type StoreOptions, type StorePlace } from '../../../src/store/store.js';
import { freePorts } from '../../rigs/daemon.js';
import { type Postgres, startPostgres } from '../../rigs/postgres.js';
import { insertProcess } from '../../unit/process/stored-process.js';

const password = 'correct horse';
let server: Postgres;
beforeAll(async () => {
  server = await startPostgres({ password });
  await server.databases.query("create role guest login password 'stable' connection limit 1");
});
afterAll(() => server[Symbol.asyncDispose]());

/** Opens a store that cannot be opened. */
async function refusal(place: Partial<StorePlace>, options: StoreOptions = { patience: 300 }) {
  const full = { kind: 'postgres', password, ...place } as StorePlace;
  const error: unknown = await openStore(full, options).then(
    async (store) => {
      await store.destroy();
      return new Error('it was opened');
    },
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: expect.stringMatching(/^(Wherry|Input)Error$/), hint: expect.any(String) });
  const { message, hint = '' } = error as Error & { hint?: string };
  expect(`${message}${hint}`).not.toContain('\n');
  expect(JSON.stringify(error) + message + hint).not.toContain(password);
  return error;
}

/** Everything in the schema of a database. */
const tables = (database: string) =>
  server.databases.query("select relname from pg_class where relnamespace = 'public'::regnamespace", database);

describe('a new database on PostgreSQL', () => {
  it('gets all tables, with wide numbers and text that is compared by its bytes', async () => {
    const database = await server.databases.create();
    const store = await openStore(server.databases.place(database));
    const found = await store.introspection.getTables();
    const columns = found.flatMap(({ columns }) => columns).map(({ dataType }) => dataType);
    expect(new Set(columns)).toEqual(new Set(['int8', 'text']));
    const steps = await server.databases.query<{ name: string }>('select name from kysely_migration', database);
    expect(steps.map(({ name }) => name)).toEqual(Object.keys(migrations));
    for (const label of ['a-b', 'B', 'aa', 'ab']) await insertProcess(store, { label });
    const labels = await store.selectFrom('processes').select('label').orderBy('label').execute();
    expect(labels.map(({ label }) => label)).toEqual(['B', 'a-b', 'aa', 'ab']);
    await store.destroy();
  });

  it('is opened by many at the same moment, and all of them can use it', async () => {
    const place = server.databases.place(await server.databases.create());
    const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(place)));
    const uuids = await Promise.all(stores.map(profileUuid));
    expect(new Set(uuids).size).toBe(1);
    await Promise.all(stores.map((store) => store.destroy()));
  });

  it('is reached through a socket as well', async () => {
    const database = await server.databases.create();
    const url = `postgres://wherry@${encodeURIComponent(server.folder)}:${server.port}/${database}`;
    const store = await openStore({ kind: 'postgres', url, password });
    await insertProcess(store);
    await store.destroy();
  });

  it('keeps rows, and never gives the id of a removed process to another', async () => {
    const place = server.databases.place(await server.databases.create());
    const first = await openStore(place);
    const { id } = await insertProcess(first, { label: 'kept' });
    await first.deleteFrom('processes').execute();
    const row = await insertProcess(first);
    expect(row.id).toBeGreaterThan(id);
    const uuid = await profileUuid(first);
    await first.destroy();
    const second = await openStore(place);
    expect(await second.selectFrom('processes').selectAll().execute()).toEqual([row]);
    expect(await profileUuid(second)).toBe(uuid);
    await second.destroy();
  });

  it('keeps nothing of a step that failed half-way, so that it can be repeated', async () => {
    const database = await server.databases.create();
    const place = server.databases.place(database);
    await server.databases.query('create table leases (in_the_way text)', database);
    const before = await tables(database);
    expect(await refusal(place)).toMatchObject({ code: 'store-failed', message: expect.stringContaining('leases') });
    expect(await tables(database)).toEqual(before);
    await server.databases.query('drop table leases', database);
    const store = await openStore(place);
    await insertProcess(store);
    await store.destroy();
  });

  it('of a newer version is refused and left as it is', async () => {
    const database = await server.databases.create();
    const place = server.databases.place(database);
    await (await openStore(place)).destroy();
    await server.databases.query(
      "insert into kysely_migration values ('9999_from_the_future', '2999-01-01')",
      database,
    );
    const before = await tables(database);
    expect(await refusal(place)).toMatchObject({
      code: 'store-newer',
      transient: false,
      message: expect.stringContaining('9999_from_the_future'),
    });
    expect(await tables(database)).toEqual(before);
  });
});

describe('a PostgreSQL that encrypts', () => {
  it('is trusted for its certificate, or as it is when that was asked for', async () => {
    await using encrypting = await startPostgres({ encrypted: true });
    const url = encrypting.databases.url(await encrypting.databases.create());
    const certificate = path.join(encrypting.folder, 'certificate');
    for (const options of ['sslmode=require', `sslmode=verify-full&sslrootcert=${certificate}`]) {
      const store = await openStore({ kind: 'postgres', url: `${url}?${options}` });
      const { rows } = await sql<{ ssl: boolean }>`select ssl from pg_stat_ssl where pid = pg_backend_pid()`.execute(
        store,
      );
      expect(rows).toEqual([{ ssl: true }]);
      await store.destroy();
    }
    const distrusted = { code: 'store-failed', hint: expect.stringContaining('sslrootcert=FILE') };
    expect(await refusal({ kind: 'postgres', url: `${url}?sslmode=verify-full` })).toMatchObject(distrusted);
    // The certificate is another host's.
    const elsewhere = `${url.replace('127.0.0.1', 'localhost')}?sslmode=verify-full&sslrootcert=${certificate}`;
    expect(await refusal({ kind: 'postgres', url: elsewhere })).toMatchObject(distrusted);
  });
});

describe('a PostgreSQL that cannot be used', () => {
  it.each([
    ['no URL at all', 'is no URL'],
    ['mysql://me@localhost/wherry', 'begins with postgres://'],
    ['postgres://me:correct%20horse@localhost/wherry', 'has a password in it'],
    ['postgres:///wherry', 'names no host'],
    ['postgres://me@localhost', 'names no database'],
    ['postgres://me@localhost/a/b', 'names no database'],
    ['postgres://me@localhost/%zz', 'broken %-sign'],
    ['postgres://me@localhost/wherry?schema=x', 'no option "schema"'],
    ['postgres://me@localhost/wherry?sslmode=prefer', 'no sslmode'],
    ['postgres://me@localhost/wherry?sslmode=verify-full&sslrootcert=/nowhere', 'cannot be read'],
  ])('has an address that is right: %s', async (url, message) => {
    expect(await refusal({ kind: 'postgres', url })).toMatchObject({
      code: 'bad-input',
      message: expect.stringContaining(message),
    });
  });

  it('refuses a wrong password, a missing one and an unknown user', async () => {
    const url = server.databases.url(await server.databases.create());
    const wrong = { code: 'store-failed', transient: false, message: expect.stringContaining('refused the login') };
    expect(await refusal({ kind: 'postgres', url, password: 'wrong' })).toMatchObject(wrong);
    expect(await refusal({ kind: 'postgres', url, password: '' })).toMatchObject(wrong);
    expect(await refusal({ kind: 'postgres', url: url.replace('wherry@', 'nobody@') })).toMatchObject(wrong);
  });

  it('has no such database, or one that the user may make no tables in', async () => {
    const missing = server.databases.url('not_there');
    expect(await refusal({ kind: 'postgres', url: missing })).toMatchObject({
      code: 'store-failed',
      transient: false,
      hint: expect.stringContaining('createdb'),
    });
    const database = await server.databases.create();
    const url = server.databases.url(database, 'guest');
    expect(await refusal({ kind: 'postgres', url, password: 'stable' })).toMatchObject({
      code: 'store-failed',
      message: expect.stringMatching(/permission denied|guest/),
    });
    expect(await tables(database)).toEqual([]);
  });

  it('keeps text in another way', async () => {
    await server.databases.query("create database latin template template0 encoding 'LATIN1' locale 'C'");
    expect(await refusal(server.databases.place('latin'))).toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining('LATIN1'),
    });
    expect(await tables('latin')).toEqual([]);
  });

  it('is too old', async () => {
    const database = await server.databases.create();
    // The server's own words, put into its mouth.
    await server.databases.query(
      `create schema old;
       create function old.current_setting(name text) returns text language sql as
         $$ select case name when 'server_version_num' then '140012' when 'server_version' then '14.12'
            else pg_catalog.current_setting(name) end $$;
       alter database ${database} set search_path = old, pg_catalog, public`,
      database,
    );
    expect(await refusal(server.databases.place(database))).toMatchObject({
      code: 'store-failed',
      transient: false,
      message: expect.stringMatching(/PostgreSQL 14\.12, which is too old/),
    });
    expect(await tables(database)).toEqual([]);
  });

  it('does not encrypt', async () => {
    const url = `${server.databases.url('postgres')}?sslmode=require`;
    expect(await refusal({ kind: 'postgres', url })).toMatchObject({
      code: 'store-failed',
      hint: expect.stringContaining('sslmode=disable'),
    });
  });

  it('is not there, is something else, or does not answer', async () => {
    const [free = 0] = await freePorts(1);
    const transient = { code: 'store-failed', transient: true, message: expect.stringContaining('cannot be reached') };
    const at = (port: number) => refusal({ kind: 'postgres', url: `postgres://me@127.0.0.1:${port}/wherry` });
    expect(await at(free)).toMatchObject(transient);
    const nowhere = 'postgres://me@nowhere.invalid/wherry?sslmode=disable';
    expect(await refusal({ kind: 'postgres', url: nowhere })).toMatchObject({ code: 'store-failed' });
    const rude = createServer((socket) => socket.destroy());
    const mute = createServer(() => undefined);
    for (const other of [rude, mute]) {
      await once(other.listen(0, '127.0.0.1'), 'listening');
      const address = other.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      expect(await at(address.port)).toMatchObject(transient);
      other.close();
    }
  });

  it('has no place left: it is waited for until there is one', async () => {
    const database = await server.databases.create();
    await server.databases.query(`alter database ${database} owner to guest`);
    const place: StorePlace = {
      kind: 'postgres',
      url: server.databases.url(database, 'guest'),
      password: 'stable',
    };
    const first = await openStore(place);
    expect(await refusal(place)).toMatchObject({ code: 'store-failed', transient: true });
    const opening = openStore(place);
    await first.destroy();
    await (await opening).destroy();
  });
});
