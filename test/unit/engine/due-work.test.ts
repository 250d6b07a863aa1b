import { CompiledQuery, sql } from 'kysely';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dueCleanings } from '../../../src/engine/clean-work.js';
import {
  computersWithWork,
  dueRows,
  hasQueuedRows,
  killIntents,
  nextDueTime,
  queuedJobIds,
  queuedRows,
  rowsToSubmit,
  unsettledRows,
} from '../../../src/engine/due-work.js';
import type { LoadedComputer } from '../../../src/engine/loaded-computer.js';
import { allowance } from '../../../src/engine/throttle.js';
import { isPostgres, type Store } from '../../../src/store/store.js';
import { insertProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';
import { FakeTransport, loadedComputer } from './fake-computer.js';

const now = 1_000;
const none = new Set<number>();

interface Query {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** A history, and enough that waits, for the database to choose a plan by. */
async function storeHistory(store: Store): Promise<void> {
  const ended = { computer_id: 1, stage: null, ended_at: 1, state: 'finished' };
  const { uuid, ...row } = await insertProcess(store, ended);
  if (!isPostgres(store)) {
    for (let index = 0; index < 20; index++) await insertProcess(store, ended);
    return;
  }
  const columns = Object.keys(row).filter((column) => column !== 'id');
  const names = sql.join(columns.map((column) => sql.ref(column)));
  await sql`insert into processes (uuid, ${names})
    select 'a' || number, ${names} from processes, generate_series(1, 20000) as number where uuid = ${uuid}`.execute(
    store,
  );
  await sql`analyze processes, submissions`.execute(store);
}

async function explainBySqlite(store: Store, name: string, query: Query): Promise<void> {
  const explained = CompiledQuery.raw(`explain query plan ${query.sql}`, [...query.parameters]);
  const plan = await store.executeQuery<{ detail: string }>(explained);
  const steps = plan.rows.map(({ detail }) => detail);
  const scans = steps.filter((step) =>
    /^SCAN (processes|submissions)(?! USING COVERING INDEX submissions_open)/.test(step),
  );
  expect(scans, `${query.sql}\n${steps.join('\n')}`).toEqual([]);
  // Sorted is only what is few: open submissions.
  if (name !== 'unsettled rows') expect(steps.join('\n'), query.sql).not.toMatch('TEMP B-TREE');
  else expect(steps[0]).toMatch('submissions_open');
  for (const step of steps.filter((line) => /^SEARCH processes/.test(line)))
    expect(step).toMatch(/processes_(work|order|queue|kill)|INTEGER PRIMARY KEY/);
}

async function explainByPostgres(store: Store, _name: string, query: Query): Promise<void> {
  const explained = CompiledQuery.raw(`explain ${query.sql}`, [...query.parameters]);
  const plan = await store.executeQuery<{ 'QUERY PLAN': string }>(explained);
  const steps = plan.rows.map((row) => row['QUERY PLAN']);
  // There is not one submission: to look at all of them is nothing. All indexes but three hold the living alone.
  const scans = steps.filter((step) => /Seq Scan on processes/.test(step));
  expect(scans, `${query.sql}\n${steps.join('\n')}`).toEqual([]);
  for (const [step] of steps.join('\n').matchAll(/Scan using \w+ on processes/g))
    expect(step, steps.join('\n')).toMatch(/processes_(work|order|queue|kill|label|pkey)/);
}

describe('the work of a computer', () => {
  let rig: TemporaryStore;
  let computer: LoadedComputer;
  beforeEach(async () => {
    rig = await temporaryStore();
    computer = await loadedComputer(rig.store, new FakeTransport());
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  /** Every question that drivers ask again and again. */
  const questions: Record<string, (store: Store) => Promise<unknown>> = {
    'rows that are due': (store) => dueRows(store, 1, ['upload', 'retrieve', 'parse'], now, 8, none),
    'rows to submit': (store) => rowsToSubmit(store, 1, now, 8, none, ['licence']),
    'unsettled rows': (store) => unsettledRows(store, 1, now, 8, none),
    'rows in the queue': (store) => queuedRows(store, 1, 0, 500),
    'ids of jobs': (store) => queuedJobIds(store, 1),
    'is there a job in the queue': (store) => hasQueuedRows(store, 1),
    'wishes to kill': (store) => killIntents(store, 1),
    'directories to remove': (store) => dueCleanings(store, 1, now, 8, none),
    'the next due time': (store) => nextDueTime(store, 1, now),
    'computers with work': (store) => computersWithWork(store),
    'what the limits allow': (store) =>
      allowance(store, { ...computer, limits: { ...computer.limits, maxQueued: 2, maxRunning: 2 } }, now),
  };

  it.each(Object.keys(questions))('is found by an index of living rows alone: %s', async (name) => {
    const asked: Query[] = [];
    const store = rig.store.withPlugin({
      transformQuery: ({ node, queryId }) => {
        void queryId;
        const { sql: text, parameters } = rig.store.getExecutor().compileQuery(node, queryId);
        asked.push({ sql: text, parameters });
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const explain = isPostgres(rig.store) ? explainByPostgres : explainBySqlite;
    await storeHistory(rig.store);
    await questions[name]?.(store);
    expect(asked.length).toBeGreaterThan(0);
    for (const query of asked) await explain(rig.store, name, query);
  });

  it('of a computer whose processes are all paused or ended is none, unless a job is in its queue', async () => {
    await insertProcess(rig.store, { computer_id: computer.row.id, paused: 1 });
    await insertProcess(rig.store, { computer_id: computer.row.id, stage: null, ended_at: 1, state: 'finished' });
    expect(await computersWithWork(rig.store)).toEqual([]);
    const queued = await insertProcess(rig.store, { computer_id: computer.row.id, paused: 1, stage: 'update' });
    expect(await computersWithWork(rig.store)).toEqual([computer.row.id]);
    await rig.store.updateTable('processes').set({ stage: 'retrieve' }).where('id', '=', queued.id).execute();
    expect(await computersWithWork(rig.store)).toEqual([]);
    await rig.store.updateTable('processes').set({ kill_requested_at: 1 }).where('id', '=', queued.id).execute();
    expect(await computersWithWork(rig.store)).toEqual([computer.row.id]);
    await rig.store.updateTable('processes').set({ ended_at: 1 }).where('id', '=', queued.id).execute();
    expect(await computersWithWork(rig.store)).toEqual([]);
    const wish = { process_id: queued.id, computer_id: computer.row.id, requested_at: 1, due_at: 1 };
    await rig.store.insertInto('cleanings').values(wish).execute();
    expect(await computersWithWork(rig.store)).toEqual([computer.row.id]);
    await rig.store.updateTable('cleanings').set({ due_at: null }).execute();
    expect(await computersWithWork(rig.store)).toEqual([]);
  });

  it('that is due comes by priority, then the longest due first, over all stages', async () => {
    const id = computer.row.id;
    const rows = [
      await insertProcess(rig.store, { computer_id: id, stage: 'upload', due_at: 3 }),
      await insertProcess(rig.store, { computer_id: id, stage: 'retrieve', due_at: 2 }),
      await insertProcess(rig.store, { computer_id: id, stage: 'parse', due_at: 9, priority: 5 }),
      await insertProcess(rig.store, { computer_id: id, stage: 'upload', due_at: 1 }),
      await insertProcess(rig.store, { computer_id: id, stage: 'submit', due_at: 1 }),
    ];
    const found = await dueRows(rig.store, id, ['upload', 'retrieve', 'parse'], now, 3, new Set([rows[3]?.id ?? 0]));
    expect(found.map((row) => row.id)).toEqual([rows[2]?.id, rows[1]?.id, rows[0]?.id]);
  });
});
