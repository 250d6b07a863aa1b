import { lstat, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requestCleaning, requestCleaningBelow } from '../../../src/calcjob/cleaned.js';
import { jobDirectory } from '../../../src/calcjob/job-directory.js';
import { computerOfFiles } from '../../../src/cli/file-arguments.js';
import { jobSchema } from '../../../src/config/job.js';
import { disableComputer, enableComputer } from '../../../src/engine/computers.js';
import { Engine, type EngineOptions } from '../../../src/engine/engine.js';
import { explain } from '../../../src/engine/explain.js';
import { checkStaging } from '../../../src/engine/staging-checks.js';
import { processDetails } from '../../../src/engine/views.js';
import { type ErrorCode, type InputError, WherryError } from '../../../src/errors.js';
import { eventsOf } from '../../../src/store/events.js';
import type { CleaningRow, ComputerRow, ProcessRow } from '../../../src/store/tables.js';
import { mortalStore } from '../../rigs/mortal-store.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { until } from '../../rigs/until.js';
import { insertProcess } from '../process/stored-process.js';
import { FakeTransport, pluginFiles } from './fake-computer.js';

let rig: TestProfile;
let computer: ComputerRow;
beforeEach(async () => {
  rig = await startProfile();
  computer = await rig.addComputer({
    ...{ label: 'here', transport: 'local', scheduler: 'direct', workDirectory: path.join(rig.directory, 'work') },
    limits: { minPollInterval: 0.02, safeOpenInterval: 0 },
  });
});
afterEach(() => rig[Symbol.asyncDispose]());

/** With a few seeds only every so many queries are tried; with many, all of them. */
const stride = Number(process.env.WHERRY_SEEDS ?? 0) >= 1000 ? 1 : 3;

const store = () => rig.profile.store;
const exists = (file: string | null) =>
  lstat(file ?? '').then(
    () => true,
    () => false,
  );

/** An ended calcjob with a directory on a computer. */
async function ended(on = computer, columns: Partial<ProcessRow> = {}): Promise<ProcessRow> {
  const row = await insertProcess(store(), {
    ...{ computer_id: on.id, state: 'finished', stage: null, due_at: null, exit_status: 0, ended_at: 5 },
    inputs: JSON.stringify(jobSchema.parse({ command: ['true'], computer: on.label })),
    ...columns,
  });
  const { workDirectory } = JSON.parse(on.config) as { workDirectory: string };
  const remote_directory = jobDirectory(workDirectory, row.uuid);
  await store().updateTable('processes').set({ remote_directory }).where('id', '=', row.id).execute();
  if (on === computer) {
    await mkdir(remote_directory, { recursive: true });
    await writeFile(path.join(remote_directory, 'x'), 'x');
  }
  return rig.row(row.id);
}

const ask = (rows: readonly ProcessRow[], by: number | null = null, now = Date.now()) =>
  store()
    .transaction()
    .execute((transaction) => requestCleaning(transaction, rows, { reason: 'test', by }, now));
const cleaning = (row: ProcessRow): Promise<CleaningRow> =>
  store().selectFrom('cleanings').selectAll().where('process_id', '=', row.id).executeTakeFirstOrThrow();
const isOver = async (row: ProcessRow) => (await cleaning(row)).due_at === null;

async function drive(enough: () => Promise<boolean>, options: EngineOptions = {}): Promise<void> {
  await using engine = new Engine(rig.profile, options);
  const signal = AbortSignal.timeout(20_000);
  await engine.drive({ signal, until: enough });
  signal.throwIfAborted();
}

describe('directories of ended calcjobs', () => {
  it('are removed by whoever drives the computer, those alone that somebody has asked for', async () => {
    const rows = await Promise.all(Array.from({ length: 5 }, () => ended()));
    const kept = await ended();
    await ask(rows);
    await drive(async () => (await Promise.all(rows.map(isOver))).every(Boolean));
    for (const row of rows) {
      expect(await exists(row.remote_directory)).toBe(false);
      expect(await rig.row(row.id)).toEqual(row);
      expect(await rig.eventTypes(row.id)).toEqual(['process.clean-requested', 'process.cleaned']);
    }
    expect(await exists(kept.remote_directory)).toBe(true);
    // Asked for again there is nothing to be done, and no driver is needed.
    await ask(rows);
    expect((await cleaning(rows[0] as ProcessRow)).due_at).toBeNull();
    expect(await rig.eventTypes((rows[0] as ProcessRow).id)).toHaveLength(2);
  });

  it('of a real job go, with what it has written, and its results stay', async () => {
    const row = await rig.submit(computer, { command: ['sh', '-c', 'echo hello; mkdir -p deep/er; chmod 500 deep'] });
    const [end] = await rig.drive([row]);
    expect(end).toMatchObject({ state: 'finished', exit_status: 0 });
    await ask([end as ProcessRow]);
    await drive(() => isOver(row));
    expect(await exists((end as ProcessRow).remote_directory)).toBe(false);
    expect(await rig.output(row.id, 'stdout.txt')).toBe('hello\n');
  });

  it('that are not their own are refused, which the workflow that asked is told', async () => {
    const workflow = await insertProcess(store(), { kind: 'workflow', state: 'finished', ended_at: 1, stage: null });
    const row = await ended();
    await store().updateTable('processes').set({ remote_directory: rig.directory }).where('id', '=', row.id).execute();
    await ask([row], workflow.id);
    await drive(() => isOver(row));
    expect(await exists(rig.directory)).toBe(true);
    expect((await processDetails(store(), row)).cleaning).toMatchObject({
      ...{ outcome: 'refused', requestedBy: workflow.id, cleanedAt: null, failure: { code: 'unsafe-path' } },
    });
    expect(await rig.eventTypes(row.id)).toEqual(['process.clean-requested', 'process.clean-failed']);
    expect(await rig.eventTypes(workflow.id)).toEqual(['process.report']);
    expect(await rig.row(workflow.id)).toEqual(workflow);
    expect((await explain(store(), row)).details.join()).toContain('its work directory was not removed');
    // Nothing of it was touched.
    const files = await computerOfFiles(store(), await rig.row(row.id));
    expect(files.label).toBe('here');
  });

  it('are asked for by a workflow: of all that it called, at any depth, which have ended and are their own', async () => {
    const end = { state: 'finished', ended_at: 1, stage: null };
    const workflow = (parent: number | null) => insertProcess(store(), { kind: 'workflow', ...end, parent_id: parent });
    const root = await workflow(null);
    const inner = await workflow(root.id);
    const own = [await ended(computer, { parent_id: root.id }), await ended(computer, { parent_id: inner.id })];
    const living = await ended(computer, { parent_id: inner.id, state: 'waiting', ended_at: null });
    await insertProcess(store(), { ...end, parent_id: root.id, remote_directory: rig.directory });
    await insertProcess(store(), { ...end, parent_id: root.id });
    await ended();
    await store()
      .transaction()
      .execute((transaction) => requestCleaningBelow(transaction, root.id, 9));
    const asked = await store().selectFrom('cleanings').selectAll().orderBy('process_id').execute();
    expect(asked).toMatchObject(own.map(({ id }) => ({ process_id: id, requested_by: root.id, due_at: 9 })));
    const [report] = await eventsOf(store(), root.id);
    expect(report?.data).toContain(`process ${living.id} has not ended`);
  });

  it('go whichever query their driver dies at, and that is told once', async () => {
    const [undisturbed] = [await ended()];
    await ask([undisturbed]);
    const queries = await live(0, Number.POSITIVE_INFINITY, () => isOver(undisturbed));
    expect(queries).toBeGreaterThan(10);
    let deaths = 0;
    for (let death = 1, life = 1; death <= queries; death += stride) {
      const row = await ended();
      await ask([row]);
      await live(life++, death, () => isOver(row));
      if (!(await isOver(row))) deaths++;
      await live(life++, Number.POSITIVE_INFINITY, () => isOver(row));
      expect(await exists(row.remote_directory)).toBe(false);
      expect(await rig.eventTypes(row.id), `death at ${death}`).toEqual(['process.clean-requested', 'process.cleaned']);
    }
    expect(deaths).toBeGreaterThan(3);
  }, 60_000);

  /** Drives until so many queries were made, as if its program died then. @returns how many there were */
  async function live(life: number, queries: number, enough: () => Promise<boolean>): Promise<number> {
    const death = new AbortController();
    const { store: mortal, asked } = mortalStore(store(), queries, () => death.abort());
    const engine = new Engine({ ...rig.profile, store: mortal }, { now: () => Date.now() + life * 60_000 });
    try {
      await engine.drive({ signal: AbortSignal.any([death.signal, AbortSignal.timeout(20_000)]), until: enough });
    } catch (error) {
      if (!death.signal.aborted) throw error;
    } finally {
      await engine[Symbol.asyncDispose]().catch(() => undefined);
    }
    return asked();
  }
});

describe('a computer', () => {
  let transport: FakeTransport;
  let fake: ComputerRow;
  let row: ProcessRow;
  let ahead: number;
  /** Time passes as fast as it is waited for. */
  const fast: EngineOptions = {
    now: () => Date.now() + ahead,
    sleep: async (moment) => {
      await delay(1);
      ahead = Math.max(ahead, moment - Date.now());
    },
    heartbeat: 5_000,
  };
  beforeEach(async () => {
    ahead = 0;
    transport = new FakeTransport();
    fake = await rig.addComputer({
      ...{ label: 'fake', ...(await pluginFiles(rig.directory, transport)), workDirectory: '/w/x' },
    });
    row = await ended(fake);
    await ask([row]);
  });
  const answer = { stdout: '', stderr: '', exitCode: 0, signal: null, durationMs: 1 };
  const explained = async () => explain(store(), await rig.row(row.id), Date.now() + ahead);

  it('that cannot be reached is waited for, which uses up no attempt', async () => {
    transport.cluster.intercept = () => answer;
    transport.onOpen = () => {
      if (transport.opened.length > 2) return undefined;
      throw new WherryError('connection-failed', 'no route', { transient: true });
    };
    await drive(async () => transport.opened.length === 2, fast);
    expect(await explained()).toMatchObject({
      waitingFor: expect.stringContaining('fake, which could not be reached'),
      nextAt: expect.any(String),
      details: expect.arrayContaining(['it is finished with exit status 0; its work directory is to be removed']),
    });
    await drive(() => isOver(row), fast);
    expect(await cleaning(row)).toMatchObject({ attempts: 0, failure: null, cleaned_at: expect.any(Number) });
    expect(transport.opened).toHaveLength(3);
  });

  it('that is disabled is waited for until somebody enables it', async () => {
    transport.cluster.intercept = () => answer;
    const current = () =>
      store().selectFrom('computers').selectAll().where('id', '=', fake.id).executeTakeFirstOrThrow();
    await disableComputer(store(), await current());
    let looks = 0;
    await drive(async () => looks++ > 10, fast);
    expect(transport.opened).toEqual([]);
    expect(await explained()).toMatchObject({ waitingFor: expect.stringContaining('held') });
    await enableComputer(store(), await current());
    await drive(() => isOver(row), fast);
    expect((await cleaning(row)).cleaned_at).not.toBeNull();
  });

  it('whose file system is in trouble is asked again with growing waits, five times', async () => {
    transport.cluster.intercept = () => ({ ...answer, exitCode: 1, stderr: 'rm: x: Stale file handle' });
    await drive(async () => (await cleaning(row)).attempts === 1, fast);
    expect(await explained()).toMatchObject({
      waitingFor: expect.stringMatching(/^the next try to remove its work directory: .*Stale file handle/),
      next: 'try 2 of 5',
    });
    await drive(() => isOver(row), fast);
    expect(await cleaning(row)).toMatchObject({ attempts: 5, cleaned_at: null });
    expect((await processDetails(store(), row)).cleaning).toMatchObject({ outcome: 'failed' });
    const failures = (await rig.eventTypes(row.id)).filter((type) => type === 'process.clean-failed');
    expect(failures).toHaveLength(5);
    // Somebody asks again, when it is well again.
    transport.cluster.intercept = () => answer;
    await ask([row], null, Date.now() + ahead);
    await drive(() => isOver(row), fast);
    expect(await cleaning(row)).toMatchObject({ failure: null, cleaned_at: expect.any(Number) });
  });

  it('keeps half of its channels for others', async () => {
    const rows = [row, ...(await Promise.all([1, 2, 3, 4].map(() => ended(fake))))];
    await ask(rows);
    const removing: (() => void)[] = [];
    transport.cluster.intercept = async () => {
      await new Promise<void>((resolve) => removing.push(resolve));
      return answer;
    };
    const driven = drive(async () => (await Promise.all(rows.map(isOver))).every(Boolean));
    await until(() => removing.length === 2, { what: 'the first two', interval: 5 });
    const short = await rig.submit(fake, { command: ['true'] });
    await until(async () => (await rig.row(short.id)).stage !== 'upload', { what: 'an upload', interval: 5 });
    expect(transport.cluster.count('rm -rfv')).toBe(2);
    transport.cluster.intercept = (script) => (script.includes('rm -rfv') ? answer : undefined);
    for (const end of removing) end();
    await driven;
  });
});

describe('what is being removed', () => {
  it('is not to be had any more, by nobody, and it says since when', async () => {
    const [row, other] = [await ended(), await ended()];
    const directory = row.remote_directory ?? '';
    await ask([row]);
    await expect(computerOfFiles(store(), row)).rejects.toThrow(/of process \d+ is being removed/);
    await drive(() => isOver(row));
    const words = new RegExp(`the work directory of process ${row.id} was removed at 20`);
    await expect(computerOfFiles(store(), row)).rejects.toMatchObject({
      ...{ code: 'not-found' satisfies ErrorCode, message: expect.stringMatching(words) },
    });
    const job = (given: object) => jobSchema.parse({ command: ['true'], ...given });
    const problems = async (given: object) =>
      checkStaging(store(), job(given), computer, [], { source: 'job.yaml' }).then(
        () => undefined,
        (error: unknown) => (error as InputError).issues.map(({ path: place }) => place),
      );
    expect(
      await problems({
        remoteCopy: [{ from: { process: row.id, path: 'x' } }, { from: `${directory}/x` }, { from: '/shared/x' }],
        remoteSymlink: [{ from: directory }],
        remoteFolder: directory,
      }),
    ).toEqual(['remoteCopy[0].from.process', 'remoteCopy[1].from', 'remoteSymlink[0].from', 'remoteFolder']);
    const stash = jobDirectory('/archive', row.uuid);
    expect(
      await problems({ remoteCopy: [{ from: `${stash}/x` }, { from: { process: other.id, path: 'x' } }] }),
    ).toBeUndefined();
  });
});
