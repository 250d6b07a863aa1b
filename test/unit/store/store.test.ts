import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { migrations } from '../../../src/store/migrations.js';
import { fromJson, openStore, type Store } from '../../../src/store/store.js';
import { insertProcess } from '../process/stored-process.js';
import { temporaryStore } from './temporary-store.js';

describe('opening a store', () => {
  let directory: string;
  let file: string;
  const open: Store[] = [];

  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'wherry-open-'));
    file = path.join(directory, 'store.sqlite');
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((store) => store.destroy()));
    await rm(directory, { recursive: true, force: true });
  });

  async function opened(): Promise<Store> {
    const store = await openStore({ kind: 'sqlite', file });
    open.push(store);
    return store;
  }

  const steps = (store: Store) =>
    store
      .withTables<{ kysely_migration: { name: string; timestamp: string } }>()
      .selectFrom('kysely_migration')
      .select('name')
      .execute();

  it('makes all tables out of nothing', async () => {
    const store = await opened();
    const names = (await store.introspection.getTables()).map((table) => table.name);
    expect(names).toEqual(
      expect.arrayContaining(['computers', 'processes', 'submissions', 'files', 'events', 'cursors', 'leases']),
    );
    expect((await steps(store)).map((row) => row.name)).toEqual(Object.keys(migrations));
  });

  it('leaves an up-to-date store and its rows as they are', async () => {
    const first = await openStore({ kind: 'sqlite', file });
    const row = await insertProcess(first, { label: 'kept' });
    await first.destroy();
    const second = await opened();
    expect(await second.selectFrom('processes').selectAll().execute()).toEqual([row]);
    expect((await steps(second)).map((step) => step.name)).toEqual(Object.keys(migrations));
  });

  it('never gives the id of a removed process to another', async () => {
    const store = await opened();
    const { id } = await insertProcess(store);
    await store.deleteFrom('processes').execute();
    expect((await insertProcess(store)).id).toBeGreaterThan(id);
  });

  it('refuses a store with a step that it does not know, and does not touch it', async () => {
    const first = await openStore({ kind: 'sqlite', file });
    await first
      .withTables<{ kysely_migration: { name: string; timestamp: string } }>()
      .insertInto('kysely_migration')
      .values({ name: '9999_from_the_future', timestamp: '2999-01-01' })
      .execute();
    await insertProcess(first);
    await first.destroy();
    await expect(openStore({ kind: 'sqlite', file })).rejects.toMatchObject({
      code: 'store-newer',
      transient: false,
      message: expect.stringContaining('9999_from_the_future'),
      hint: expect.any(String),
    });
  });

  it('refuses a file that is no database and leaves its content', async () => {
    await writeFile(
      file,
      'this is a letter and no database, and it is long enough to be read as a header\n'.repeat(50),
    );
    await expect(openStore({ kind: 'sqlite', file })).rejects.toMatchObject({
      code: 'store-failed',
      hint: expect.any(String),
    });
  });

  it('tells that the folder does not exist', async () => {
    await expect(
      openStore({ kind: 'sqlite', file: path.join(directory, 'none', 'store.sqlite') }),
    ).rejects.toMatchObject({
      code: 'store-failed',
    });
  });

  it('keeps nothing of a step that failed half-way, so that it can be repeated', async () => {
    const database = new DatabaseSync(file);
    database.exec('create table leases (in_the_way text)');
    await expect(openStore({ kind: 'sqlite', file })).rejects.toMatchObject({ code: 'store-failed' });
    expect(database.prepare("select name from sqlite_schema where name = 'processes'").all()).toEqual([]);
    database.exec('drop table leases');
    database.close();
    await insertProcess(await opened());
  });

  it('opens one new file many times at once', async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, opened));
    for (const store of stores) expect((await steps(store)).map((row) => row.name)).toEqual(Object.keys(migrations));
  });
});

describe('opening a store that another program is just making', () => {
  it('waits for it, and everything else in this program goes on', async () => {
    await using rig = await temporaryStore();
    const file = path.join(rig.directory, 'new.sqlite');
    const maker = new DatabaseSync(file);
    maker.exec('begin exclusive');
    const progress = { ended: false };
    const opening = openStore({ kind: 'sqlite', file }).finally(() => {
      progress.ended = true;
    });
    for (let turn = 0; turn < 200; turn++) await nextTurn();
    expect(progress.ended).toBe(false);
    maker.exec('commit');
    maker.close();
    const store = await opening;
    expect(await store.selectFrom('processes').selectAll().execute()).toEqual([]);
    await store.destroy();
  });
});

describe('a JSON column', () => {
  it('is undefined when null', () => {
    expect(fromJson(null)).toBeUndefined();
    expect(fromJson('{"a":[1]}')).toEqual({ a: [1] });
  });
});
