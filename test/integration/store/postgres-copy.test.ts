import { sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCalcJobs } from '../../../src/calcjob/create.js';
import { computerSchema } from '../../../src/config/computer.js';
import { jobSchema } from '../../../src/config/job.js';
import { addComputer } from '../../../src/engine/computers.js';
import { type CopyProgress, copiedTables, copyStore } from '../../../src/store/copy-store.js';
import { eventsAfter, writeEvents } from '../../../src/store/events.js';
import { claimLease, releaseLease } from '../../../src/store/leases.js';
import { profileUuid } from '../../../src/store/profile-uuid.js';
import { isPostgres, openStore, type Store } from '../../../src/store/store.js';
import { providedDatabase } from '../../rigs/provided-postgres.js';
import { insertProcess } from '../../unit/process/stored-process.js';

const cleanUps: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function sqlite(): Promise<Store> {
  const store = await openStore({ kind: 'sqlite', file: ':memory:' });
  cleanUps.push(() => store.destroy());
  return store;
}

async function postgres(): Promise<Store> {
  const database = await providedDatabase();
  if (database === undefined) throw new Error('this project provides no PostgreSQL');
  const store = await openStore(database.place);
  cleanUps.push(async () => {
    await store.destroy();
    await database[Symbol.asyncDispose]();
  });
  return store;
}

/** Everything that is in a store. */
async function contentOf(store: Store): Promise<Record<string, unknown[]>> {
  const content: Record<string, unknown[]> = {};
  for (const table of copiedTables) {
    const rows = await store
      .selectFrom(table as 'settings')
      .selectAll()
      .execute();
    const texts = rows.map((row) => JSON.stringify(Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1))));
    content[table] = texts.sort();
  }
  return content;
}

/** Puts rows of every kind into a store, of some kinds more than are copied at once. @returns the last id of a process */
async function fill(store: Store): Promise<number> {
  const config = computerSchema.parse({ label: 'first', transport: 't', scheduler: 's', workDirectory: '/w' });
  const computer = await addComputer(store, config);
  await addComputer(store, { ...config, label: 'second' });
  const job = jobSchema.parse({ command: ['echo', '✓ \u0001'], pools: { licences: 2 }, label: 'l' });
  const repository = { putFile: async () => ({ sha256: 'a'.repeat(64), size: 2 ** 33 }) };
  const files = [{ path: 'in put.txt', source: '/x', mode: 0o644 }];
  const tools = { store, repository } as unknown as Parameters<typeof createCalcJobs>[0];
  const rows = await createCalcJobs(
    tools,
    Array.from({ length: 3 }, () => ({ job, computer, files })),
  );
  await store.transaction().execute(async (transaction) => {
    for (let index = 0; index < 1_001; index++) {
      await transaction
        .insertInto('processes')
        .values({
          uuid: `u${index}`,
          kind: 'calcjob',
          name: 'shell',
          label: `label ${index % 7}`,
          description: 'two\nlines',
          state: 'finished',
          stage_since: index,
          inputs: '{}',
          created_at: 1_800_000_000_000 + index,
          updated_at: 1,
          exit_status: index % 2 === 0 ? 0 : null,
          computer_id: computer.id,
        })
        .execute();
    }
    await writeEvents(
      transaction,
      rows[0]?.id ?? null,
      5,
      Array.from({ length: 1_200 }, () => ({ type: 'process.played', data: {} })),
    );
    await writeEvents(transaction, null, 6, [{ type: 'computer.released', computerId: computer.id, data: {} }]);
    for (let index = 0; index < 600; index++) {
      await transaction
        .insertInto('files')
        .values({
          process_id: rows[index % 3]?.id ?? 0,
          role: index % 2 === 0 ? 'outputs' : 'inputs',
          path: `Ö/${index}`,
          sha256: 'b',
          size: 1,
          mode: 1,
        })
        .execute();
    }
    await transaction
      .insertInto('submissions')
      .values({ process_id: rows[1]?.id ?? 0, attempt: 1, job_name: 'j', intended_at: 1, outcome: 'intended' })
      .execute();
    const process_id = rows[1]?.id ?? 0;
    const code = { label: 'pw', config: '{}', files: '[]', created_at: 1, updated_at: 2 };
    await transaction
      .insertInto('codes')
      .values([
        { ...code, uuid: 'c1', computer_id: computer.id },
        { ...code, uuid: 'c2', computer_id: null },
      ])
      .execute();
    const { id: data_id } = await transaction
      .insertInto('data')
      .values({ uuid: 'd1', type: 'file', hash: 'h', content: '"✓"', created_at: 1 })
      .returning('id')
      .executeTakeFirstOrThrow();
    await transaction
      .insertInto('data_files')
      .values({ data_id, path: 'a', sha256: 'b', size: 2 ** 33, mode: 1 })
      .execute();
    await transaction.insertInto('links').values({ process_id, type: 'input', label: 'a.b', data_id }).execute();
    await transaction.insertInto('records').values({ process_id, position: 0, type: 'run', content: '{}' }).execute();
    await transaction.insertInto('monitors').values({ process_id, due_at: null, state: '{}' }).execute();
    const wish = { process_id, computer_id: computer.id, requested_at: 1, due_at: 1_800_000_000_000 };
    await transaction.insertInto('cleanings').values(wish).execute();
    await transaction.insertInto('cursors').values({ name: 'publisher', position: 900 }).execute();
  });
  // Ids that were given and are free again.
  const { id } = await insertProcess(store);
  await store.deleteFrom('processes').where('id', '=', id).execute();
  const lease = await claimLease(store, 'computer:1', 'gone', 0, 1_000);
  if (lease !== undefined) await releaseLease(store, lease);
  return id;
}

describe.each([
  ['SQLite', sqlite],
  ['PostgreSQL', postgres],
])('copying a store from %s to PostgreSQL', (_kind, make) => {
  let from: Store;
  let to: Store;
  beforeEach(async () => {
    from = await make();
    to = await postgres();
  });

  it('brings every row, the uuid of the profile among them, and goes on with the ids', async () => {
    const lastId = await fill(from);
    const before = await contentOf(from);
    for (const table of copiedTables) expect(before[table], table).not.toEqual([]);
    const progress: CopyProgress[] = [];
    const counts = await copyStore(from, to, { onProgress: (each) => progress.push(each) });
    expect(await contentOf(to)).toEqual(before);
    expect(await contentOf(from)).toEqual(before);
    expect(counts).toEqual(Object.fromEntries(copiedTables.map((table) => [table, before[table]?.length])));
    expect(await profileUuid(to)).toBe(await profileUuid(from));
    const total = Object.values(counts).reduce((sum, rows) => sum + rows, 0);
    expect(progress.at(-1)).toMatchObject({ copied: total, total });
    expect(progress.length).toBeGreaterThan(copiedTables.length);
    expect(await insertProcess(to)).toMatchObject({ id: lastId + 1 });
    const events = before.events?.length ?? 0;
    await writeEvents(to, null, 7, [{ type: 'computer.released', data: {} }]);
    expect(await eventsAfter(to, events, 2)).toEqual([expect.objectContaining({ id: events + 1 })]);
  });

  it('of one that is empty begins with the first ids', async () => {
    await copyStore(from, to);
    expect(await profileUuid(to)).toBe(await profileUuid(from));
    expect(await insertProcess(to)).toMatchObject({ id: 1 });
  });

  it('is refused where something is in the target, which stays as it is', async () => {
    await fill(from);
    await insertProcess(to);
    const before = await contentOf(to);
    await expect(copyStore(from, to)).rejects.toMatchObject({ code: 'bad-input', hint: expect.any(String) });
    expect(await contentOf(to)).toEqual(before);
  });

  it('is refused while somebody living works on the source', async () => {
    const before = await contentOf(to);
    await claimLease(from, 'computer:1', 'me', 1_000, 500);
    await expect(copyStore(from, to, { now: 1_200 })).rejects.toMatchObject({
      code: 'daemon-running',
      message: expect.stringContaining(`${process.pid}`),
      hint: expect.any(String),
    });
    expect(await contentOf(to)).toEqual(before);
    await copyStore(from, to, { now: 1_500 });
  });

  it('copies nothing when it is stopped in the middle, and can be done again', async () => {
    await fill(from);
    const before = await contentOf(to);
    const stop = new AbortController();
    const onProgress = ({ table }: CopyProgress) => {
      if (table === 'events') stop.abort();
    };
    await expect(copyStore(from, to, { signal: stop.signal, onProgress })).rejects.toMatchObject({ code: 'aborted' });
    expect(await contentOf(to)).toEqual(before);
    await copyStore(from, to);
    expect(await contentOf(to)).toEqual(await contentOf(from));
  });

  it('leaves no table behind: one that it does not know is a defect', async () => {
    const tables = (await from.introspection.getTables()).map(({ name }) => name);
    expect([...copiedTables].sort()).toEqual(tables.sort());
    await sql`create table added_later (name text)`.execute(from);
    await expect(copyStore(from, to)).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('added_later'),
    });
  });

  it('closes a store of SQLite behind it: whoever still writes there is told', async () => {
    await copyStore(from, to);
    if (isPostgres(from)) await insertProcess(from);
    else await expect(insertProcess(from)).rejects.toThrow('moved to PostgreSQL');
  });

  it('goes to PostgreSQL only', async () => {
    await expect(copyStore(from, await sqlite())).rejects.toMatchObject({ code: 'bad-input' });
  });
});
