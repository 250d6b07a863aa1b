import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventsAfter, writeEvents } from '../../../src/store/events.js';
import { claimLease, fenced, renewLease } from '../../../src/store/leases.js';
import { openStore, type Store, type StoreOptions, type StoreTransaction } from '../../../src/store/store.js';
import { type Postgres, startPostgres } from '../../rigs/postgres.js';
import { startProxy } from '../../rigs/tcp-proxy.js';
import { until } from '../../rigs/until.js';
import { insertProcess } from '../../unit/process/stored-process.js';

let server: Postgres;
beforeAll(async () => {
  server = await startPostgres();
  await server.databases.create({ name: 'empty' });
  await (await openStore(server.databases.place('empty'))).destroy();
});
afterAll(() => server[Symbol.asyncDispose]());

let database: string;
const open: Store[] = [];
beforeEach(async () => {
  database = await server.databases.create({ template: 'empty' });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((store) => store.destroy()));
  await server.databases.drop(database);
});

async function opened(options: StoreOptions & { port?: number } = {}): Promise<Store> {
  const place = server.databases.place(database);
  const url = place.url.replace(`:${server.port}/`, `:${options.port ?? server.port}/`);
  const store = await openStore({ ...place, url }, options);
  open.push(store);
  return store;
}

const put = (db: Store | StoreTransaction, name: string) =>
  db.insertInto('cursors').values({ name, position: 1 }).execute();
const names = async (store: Store) =>
  (await store.selectFrom('cursors').select('name').orderBy('name').execute()).map(({ name }) => name);
const passing = { code: 'store-failed', transient: true, hint: expect.any(String) };

/** A promise and what fulfils it. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe('a server that restarts', () => {
  it.each(['restart', 'kill'] as const)(
    'in the middle of a transaction undoes it, as a passing failure, and everything goes on (%s)',
    async (way) => {
      const store = await opened();
      const [begun, gone] = [gate(), gate()];
      const work = store.transaction().execute(async (transaction) => {
        await put(transaction, 'lost');
        begun.open();
        await gone.opened;
        await put(transaction, 'lost too');
      });
      const outcome = expect(work).rejects.toMatchObject(passing);
      await begun.opened;
      await server[way]();
      if (way === 'kill') await server.start();
      gone.open();
      await outcome;
      await store.transaction().execute((transaction) => put(transaction, 'kept'));
      expect(await names(store)).toEqual(['kept']);
    },
  );

  it('is waited for by questions, statements and transactions that begin meanwhile', async () => {
    const store = await opened();
    await put(store, 'a');
    await server.stop();
    const progress = { ended: 0 };
    const all = [
      names(store),
      put(store, 'b'),
      store.transaction().execute((transaction) => put(transaction, 'c')),
    ].map((each) => each.finally(() => progress.ended++));
    await delay(300);
    expect(progress.ended).toBe(0);
    await server.start();
    await Promise.all(all);
    expect(await names(store)).toEqual(['a', 'b', 'c']);
  });

  it('and does not come again is given up after a while', async () => {
    const store = await opened({ patience: 400 });
    await server.stop();
    try {
      await expect(names(store)).rejects.toMatchObject(passing);
      await expect(store.transaction().execute((transaction) => put(transaction, 'a'))).rejects.toMatchObject(passing);
    } finally {
      await server.start();
    }
    await put(store, 'b');
    expect(await names(store)).toEqual(['b']);
  });
});

describe('a connection that breaks', () => {
  it('before a commit arrives: nothing is there, and it is told', async () => {
    await using proxy = await startProxy({ target: server.port });
    const store = await opened({ port: proxy.port });
    const work = store.transaction().execute(async (transaction) => {
      await put(transaction, 'a');
      proxy.stall();
      // The commit is held up in the middle of the way, and never arrives.
      setTimeout(() => proxy.cut(), 50);
    });
    await expect(work).rejects.toMatchObject(passing);
    proxy.resume();
    expect(await names(store)).toEqual([]);
  });

  it('before the answer to a commit: it is told as a passing failure and never done twice', async () => {
    await using proxy = await startProxy({ target: server.port });
    const store = await opened({ port: proxy.port });
    await names(store);
    const work = store.transaction().execute(async (transaction) => {
      await put(transaction, 'a');
      proxy.cutAfter(1, 'down');
    });
    await expect(work).rejects.toMatchObject(passing);
    expect(await names(store)).toEqual(['a']);
    const statement = async () => {
      proxy.cutAfter(1, 'down');
      await sql`update cursors set position = position + 1`.execute(store);
    };
    await expect(statement()).rejects.toMatchObject(passing);
    expect(await store.selectFrom('cursors').select('position').execute()).toEqual([{ position: 2 }]);
  });

  it('before the answer to a question: it is asked again', async () => {
    await using proxy = await startProxy({ target: server.port });
    const store = await opened({ port: proxy.port });
    await put(store, 'a');
    proxy.cutAfter(1, 'down');
    expect(await names(store)).toEqual(['a']);
  });
});

describe('one writer at a time', () => {
  it('lets others read, and renew leases, while a long transaction goes on', async () => {
    const store = await opened();
    const lease = await claimLease(store, 'computer:1', 'me', 0, 100);
    if (lease === undefined) throw new Error('no lease');
    const [begun, enough] = [gate(), gate()];
    const long = store.transaction().execute(async (transaction) => {
      await put(transaction, 'long');
      begun.open();
      await enough.opened;
    });
    await begun.opened;
    const waiting = Array.from({ length: 12 }, (_, index) =>
      store.transaction().execute((transaction) => put(transaction, `${index}`)),
    );
    expect(await names(store)).toEqual([]);
    expect(await renewLease(store, lease, 50, 100)).toBe(true);
    enough.open();
    await Promise.all([long, ...waiting]);
    expect(await names(store)).toHaveLength(13);
  });

  it('shows events to those who follow them in order, none too late', async () => {
    const stores = await Promise.all([opened(), opened(), opened()]);
    const follower = await opened();
    const perStore = 40;
    const writing = stores.map(async (store, writer) => {
      for (let turn = 0; turn < perStore; turn++) {
        const event = { type: 'process.paused', data: { reason: `${writer} ${turn}` } } as const;
        if (turn % 2 === 0) await writeEvents(store, null, turn, [event, event]);
        else {
          await store.transaction().execute(async (transaction) => {
            await writeEvents(transaction, null, turn, [event]);
            await new Promise((resolve) => setImmediate(resolve));
            await writeEvents(transaction, null, turn, [event]);
          });
        }
      }
    });
    const progress = { ended: false };
    const all = Promise.all(writing).finally(() => {
      progress.ended = true;
    });
    const seen: number[] = [];
    for (let position = 0, isLast = false; ; ) {
      const events = await eventsAfter(follower, position, 50);
      seen.push(...events.map(({ id }) => id));
      position = events.at(-1)?.id ?? position;
      if (events.length > 0) continue;
      if (isLast) break;
      isLast = progress.ended;
    }
    await all;
    expect(seen).toHaveLength(2 * perStore * stores.length);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  it('gives a lease to exactly one of many who claim it at once', async () => {
    const stores = await Promise.all(Array.from({ length: 4 }, () => opened()));
    for (let round = 0; round < 10; round++) {
      const claims = Array.from({ length: 20 }, (_, index) =>
        claimLease(stores[index % stores.length] as Store, 'computer:1', `owner-${index}`, round * 1_000, 100),
      );
      const leases = (await Promise.all(claims)).filter((lease) => lease !== undefined);
      expect(leases).toEqual([expect.objectContaining({ epoch: round + 1 })]);
    }
  });

  it('lets nobody write who has lost the lease, wherever it was taken over', async () => {
    const [one, two] = [await opened(), await opened()];
    const lease = await claimLease(one, 'computer:1', 'one', 0, 100);
    expect(await claimLease(two, 'computer:1', 'two', 200, 100)).toMatchObject({ epoch: 2 });
    const late = fenced(one, lease, (transaction) => put(transaction, 'late'));
    await expect(late).rejects.toMatchObject({ code: 'lease-lost' });
    expect(await names(one)).toEqual([]);
  });
});

describe('a transaction', () => {
  it('that goes on after a statement of it failed is never told to be committed', async () => {
    const store = await opened();
    const work = store.transaction().execute(async (transaction) => {
      await put(transaction, 'a');
      await put(transaction, 'a').catch(() => undefined);
    });
    await expect(work).rejects.toMatchObject({ code: 'internal' });
    expect(await names(store)).toEqual([]);
  });

  it('keeps text that only broken output has, and numbers beyond 32 bits', async () => {
    const store = await opened();
    const row = await insertProcess(store, { label: 'a\0b', due_at: 2 ** 40 });
    expect(row).toMatchObject({ label: 'a\ufffdb', due_at: 2 ** 40 });
    const sum = await store
      .selectFrom('processes')
      .select(({ fn }) => fn.sum<number>('due_at').as('sum'))
      .executeTakeFirst();
    expect(sum).toEqual({ sum: 2 ** 40 });
  });
});

const compiled = fileURLToPath(new URL('../../../dist/src/store/store.js', import.meta.url));

/** Begins a transaction, says so, and goes on after a line of input; then says how it ended. */
const writer = `
  import { openStore } from ${JSON.stringify(compiled)};
  const [url, silence] = process.argv.slice(1);
  const store = await openStore({ kind: 'postgres', url }, { silence: Number(silence) });
  const input = new Promise((resolve) => process.stdin.once('data', resolve));
  try {
    await store.transaction().execute(async (transaction) => {
      await transaction.insertInto('cursors').values({ name: 'frozen', position: 1 }).execute();
      console.log('begun');
      await input;
      await transaction.insertInto('cursors').values({ name: 'thawed', position: 1 }).execute();
    });
    console.log('committed');
  } catch (error) {
    console.log(error.code, error.transient, error.message.includes('idle-in-transaction'));
  }
  await store.transaction().execute((transaction) => transaction.insertInto('cursors').values({ name: 'after', position: 1 }).execute());
  await store.destroy();
  process.stdin.destroy();
`;

describe('a program that freezes in the middle of a transaction', () => {
  it('keeps others from writing for no longer than its silence is borne, and writes nothing when it thaws', async () => {
    const store = await opened();
    const silence = 2_000;
    const { url } = server.databases.place(database);
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer, url, `${silence}`]);
    try {
      const errors = text(child.stderr);
      const said: string[] = [];
      createInterface({ input: child.stdout }).on('line', (line) => said.push(line));
      await until(() => said.includes('begun'), { what: 'the transaction', timeout: 20_000 });
      child.kill('SIGSTOP');
      const began = performance.now();
      await store.transaction().execute((transaction) => put(transaction, 'mine'));
      const waited = performance.now() - began;
      expect(waited).toBeGreaterThan(silence / 2);
      expect(waited).toBeLessThan(silence + 8_000);
      expect(await names(store)).toEqual(['mine']);
      const end = once(child, 'close');
      child.kill('SIGCONT');
      child.stdin.write('go on\n');
      await end;
      expect(await errors).toBe('');
      expect(said).toEqual(['begun', 'store-failed true true']);
      expect(await names(store)).toEqual(['after', 'mine']);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('is found out at once when it dies', async () => {
    const store = await opened();
    const { url } = server.databases.place(database);
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer, url, '60000']);
    try {
      await once(child.stdout, 'data');
      const end = once(child, 'close');
      child.kill('SIGKILL');
      await end;
      await store.transaction().execute((transaction) => put(transaction, 'mine'));
      expect(await names(store)).toEqual(['mine']);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
