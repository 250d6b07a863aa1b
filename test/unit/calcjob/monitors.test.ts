import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CalcJobState, writeState } from '../../../src/calcjob/context.js';
import { beginMonitoring, type Decision, type MonitorState, readMonitorState } from '../../../src/calcjob/monitors.js';
import { parse } from '../../../src/calcjob/parse.js';
import { retrieve } from '../../../src/calcjob/retrieve.js';
import { type Job, type JobInput, jobSchema } from '../../../src/config/job.js';
import { dueForMonitors, runMonitors } from '../../../src/engine/monitor-work.js';
import { WherryError } from '../../../src/errors.js';
import type { ExecOptions } from '../../../src/plugin/transport.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { storedProcess } from '../process/stored-process.js';
import { type VerbRig, verbRig } from './verb-rig.js';

let rig: VerbRig;
let now: number;
/** Commands of the scheduler; they succeed. */
let asked: string[];
beforeEach(async () => {
  rig = await verbRig();
  now = 1_000_000;
  asked = [];
});
afterEach(() => rig[Symbol.asyncDispose]());

type Monitors = NonNullable<JobInput['monitors']>;

/** A module whose exports are these functions. */
async function module(text: string): Promise<string> {
  const file = path.join(rig.directory, 'monitors.mjs');
  await writeFile(file, text);
  return file;
}

/** A process whose job runs, with monitors. */
async function running(monitors: Monitors, more: Partial<JobInput> = {}): Promise<ProcessRow> {
  const remote_directory = await rig.write('job', { 'log.txt': 'step 1\nenergy -3.5\n', 'other.txt': 'other' });
  const columns = { state: 'waiting', stage: 'update', scheduler_state: 'running', job_id: '7', stage_since: now };
  const row = await rig.create({ monitors, ...more }, [], { ...columns, remote_directory });
  await rig.store.transaction().execute((transaction) => beginMonitoring(transaction, row, jobOf(row), now));
  return row;
}
const jobOf = (row: ProcessRow) => JSON.parse(row.inputs) as Job;
const stateOf = async (row: ProcessRow) => (await readMonitorState(rig.store, row)) as MonitorState;
const dueAt = async (row: ProcessRow) =>
  (await rig.store.selectFrom('monitors').select('due_at').where('process_id', '=', row.id).executeTakeFirst())?.due_at;
const due = async (except: number[] = []) => {
  const { rows, nextAt } = await dueForMonitors(rig.store, rig.computer.id, now, new Set(except));
  return { ids: rows.map(({ id }) => id), nextAt };
};

async function look(row: ProcessRow, exec = rig.connection.exec): Promise<MonitorState> {
  const context = rig.context(await storedProcess(rig.store, row.id));
  const connection = {
    ...rig.connection,
    exec: async (script: string, options: ExecOptions) => {
      if (!script.startsWith('fake-')) return exec(script, options);
      asked.push(script);
      return { stdout: '', stderr: '', exitCode: 0, signal: null, durationMs: 1 };
    },
  };
  await runMonitors(
    {
      ...{ store: rig.store, lease: context.lease, signal: rig.stop.signal, now: () => now },
      onConnection: (use) => use({ ...context, connection }),
    },
    context.row,
  );
  return stateOf(row);
}

describe('monitors', () => {
  it('are given the job, their files as text and their arguments, and may say nothing', async () => {
    const file = await module(`
      import { writeFileSync } from 'node:fs';
      export default (input) => { writeFileSync(input.arguments.to, JSON.stringify(input)); };`);
    const to = path.join(rig.directory, 'seen.json');
    const row = await running({ seen: { module: file, arguments: { to }, files: ['log.txt', 'none.txt'] } });
    now += 5_000;
    const state = await look(row);
    expect(state).toEqual({ calls: { seen: now }, failures: { seen: 0 }, disabled: [] });
    const { default: seen } = await import(pathToFileURL(to).href, { with: { type: 'json' } });
    expect(seen).toEqual({
      job: {
        ...{ id: row.id, uuid: row.uuid, label: '', jobId: '7', schedulerState: 'running', schedulerReason: null },
        ...{ directory: row.remote_directory, age: 5_000 },
      },
      files: { 'log.txt': 'step 1\nenergy -3.5\n' },
      arguments: { to },
    });
    expect(await dueAt(row)).toBe(now + 30_000);
    expect(await rig.reports(row.id)).toEqual([]);
  });

  it('are called by priority, then by name, until one has something to say', async () => {
    const file = await module(`
      export const quiet = () => null;
      export const loud = () => 'enough';`);
    const row = await running({
      b: { module: file, export: 'quiet', priority: 5 },
      a: { module: file, export: 'quiet', priority: 5 },
      z: { module: file, export: 'quiet', priority: 9 },
      loud: { module: file, export: 'loud' },
      never: { module: file, export: 'loud', priority: -1 },
      off: { module: file, export: 'loud', priority: 99, disabled: true },
    });
    const state = await look(row);
    expect(Object.keys(state.calls)).toEqual(['z', 'a', 'b', 'loud']);
    expect(state.decision).toEqual({
      ...{ monitor: 'loud', message: 'enough', retrieve: true, parse: true, overrideExitCode: true },
    });
    expect(await rig.reports(row.id)).toEqual(['the monitor loud stops the job: enough']);
  });

  it('are called each at its own interval, whoever drives', async () => {
    const file = await module('export default () => undefined;');
    const row = await running({
      often: { module: file, minimumInterval: 10 },
      seldom: { module: file, minimumInterval: '1h' },
    });
    const first = (await look(row)).calls;
    expect(first).toEqual({ often: now, seldom: now });
    now += 10_000;
    expect((await look(row)).calls).toEqual({ often: now, seldom: first.seldom });
    expect(await dueAt(row)).toBe(now + 10_000);
    expect((await look(row)).calls).toEqual({ often: now, seldom: first.seldom });
  });

  it('may be disabled by themselves, or by one of them', async () => {
    const file = await module(`
      export const self = () => ({ action: 'disableSelf', message: 'seen it' });
      export const all = () => ({ action: 'disableAll' });
      export const quiet = () => undefined;`);
    const row = await running({
      self: { module: file, export: 'self', priority: 1 },
      all: { module: file, export: 'all', minimumInterval: 60 },
      quiet: { module: file, export: 'quiet', priority: 2 },
    });
    expect(await look(row)).toMatchObject({ disabled: ['self'] });
    expect(await dueAt(row)).toBe(now);
    expect(await look(row)).toMatchObject({ disabled: ['self'], allDisabled: true });
    expect(await dueAt(row)).toBeNull();
    expect(await rig.reports(row.id)).toEqual([
      'the monitor self is called no more: seen it',
      'the monitor all ends all monitors',
    ]);
  });

  it.each<[string, string, RegExp]>([
    ['throws', 'export default () => { throw new Error("odd"); };', /failed: .*monitors\.mjs failed: odd$/],
    ['returns what is none', 'export default () => 7;', /expected object/],
    [
      'wants to read what it does not fetch',
      'export default () => ({ retrieve: false, parse: true });',
      /returned parse:/,
    ],
    ['has no such function', 'export const other = 1;', /exports no function default/],
  ])('that fail stop nothing, and are given up in the end: one that %s', async (_title, text, words) => {
    const row = await running({ bad: { module: await module(text) } });
    for (let times = 1; times < 5; times++) {
      expect(await look(row)).toMatchObject({ failures: { bad: times }, disabled: [] });
      now += 30_000;
    }
    expect(await look(row)).toMatchObject({ disabled: ['bad'] });
    const [first, last, ...more] = await rig.reports(row.id);
    expect(first).toMatch(words);
    expect(last).toContain('failed again and is called no more');
    expect(more).toEqual([]);
    expect(await dueAt(row)).toBeNull();
  });

  it('see the end of a long file, and nothing in place of what is no file', async () => {
    const file = await module(
      'export default ({ files }) => ({ action: "disableSelf", message: JSON.stringify(Object.entries(files).map(([n, t]) => [n, t.length, t.slice(-6)])) });',
    );
    const row = await running({ long: { module: file, files: ['long.txt', 'folder', "odd 'name'\n$x.txt"] } });
    await rig.write('job', {
      'long.txt': `${'x'.repeat(300_000)}ending`,
      folder: null,
      "odd 'name'\n$x.txt": 'wherry-other 0',
    });
    await look(row);
    expect(await rig.reports(row.id)).toEqual([
      `the monitor long is called no more: [["long.txt",262144,"ending"],["odd 'name'\\n$x.txt",14,"ther 0"]]`,
    ]);
  });
});

describe('a job that a monitor has stopped', () => {
  const enough = "export default () => 'enough';";

  it('is cancelled by whoever drives it, again after a while, until its end is seen', async () => {
    const row = await running({ stop: { module: await module(enough) } });
    await look(row);
    expect(asked).toEqual([]);
    expect((await due()).ids).toEqual([row.id]);
    await look(row);
    expect(asked).toEqual(['fake-kill 7']);
    expect(await dueAt(row)).toBe(now + 15_000);
    now += 15_000;
    await look(row);
    expect(asked).toHaveLength(2);
  });

  it('is not stopped by what was decided too late', async () => {
    const row = await running({ stop: { module: await module(enough), files: ['log.txt'] } });
    const late = await look(row, async (script, options) => {
      await rig.store.updateTable('processes').set({ stage: 'retrieve' }).where('id', '=', row.id).execute();
      return rig.connection.exec(script, options);
    });
    expect(late).toEqual({ calls: {}, failures: {}, disabled: [] });
  });

  it('is looked at later when there is trouble on the way, which is told once', async () => {
    const row = await running({ stop: { module: await module(enough), files: ['log.txt'] } });
    const broken = (transient: boolean) => async () => {
      throw new WherryError(transient ? 'connection-lost' : 'command-failed', 'trouble', { transient });
    };
    for (const transient of [true, false, false]) await look(row, broken(transient));
    expect(await stateOf(row)).toMatchObject({ calls: {} });
    expect(await dueAt(row)).toBe(now + 30_000);
    expect(await rig.reports(row.id)).toEqual(['its monitors cannot be called: trouble']);
  });

  /** The end of a process whose job was stopped by this decision. */
  async function ended(decision: Partial<Decision>, commandExit = 0) {
    const parser = await module('export default () => ({ exitStatus: 300, outputs: { read: true } });');
    const row = await running({ stop: { module: parser } }, { parser, retrieve: ['other.txt'] });
    const whole = {
      monitor: 'stop',
      message: 'enough',
      retrieve: true,
      parse: true,
      overrideExitCode: true,
      ...decision,
    };
    await rig.store
      .updateTable('monitors')
      .set({ state: JSON.stringify({ decision: whole }) })
      .execute();
    const state: CalcJobState = { end: { source: 'exit-file' }, commandExit };
    const columns = { stage: 'retrieve', checkpoint: writeState(state) };
    await rig.store.updateTable('processes').set(columns).where('id', '=', row.id).execute();
    const before = await storedProcess(rig.store, row.id);
    const after = await rig.carryOut(before, await retrieve(rig.context(before)));
    const files = Object.keys(await rig.stored(row.id, 'outputs'));
    return { files, transition: await parse(after, { ...rig, signal: rig.stop.signal }) };
  }

  it('ends with the exit status of monitors, whatever its parser says', async () => {
    const { files, transition } = await ended({ outputs: { steps: 3 } }, 143);
    expect(files).toEqual(['other.txt']);
    expect(transition).toMatchObject({
      exit: { status: 150, label: 'STOPPED_BY_MONITOR', message: 'a monitor stopped the job: stop: enough' },
      outputs: { read: true, steps: 3, exitCode: 143 },
    });
  });

  it.each<[string, Partial<Decision>, number, string[], boolean]>([
    ['with what its parser says', { overrideExitCode: false }, 300, ['other.txt'], true],
    ['unread', { parse: false }, 150, ['other.txt'], false],
    ['with what the job says', { parse: false, overrideExitCode: false }, 143, ['other.txt'], false],
    ['without results', { parse: false, retrieve: false }, 150, [], false],
  ])('ends %s, where the monitor wants it so', async (_title, decision, status, files, read) => {
    const end = await ended(decision, 143);
    expect(end.files).toEqual(files);
    expect(end.transition.exit?.status).toBe(status);
    expect('read' in (end.transition.outputs as object)).toBe(read);
  });
});

describe('the schema of monitors', () => {
  const problem = (monitors: unknown) =>
    jobSchema.safeParse({ command: ['true'], monitors }).error?.issues[0]?.path.join('.');
  it.each<[unknown, string]>([
    [{ a: {} }, 'monitors.a.module'],
    [{ a: { module: 'x.ts' } }, 'monitors.a.module'],
    [{ a: { module: 'x.js', export: 'a-b' } }, 'monitors.a.export'],
    [{ a: { module: 'x.js', minimumInterval: 0.5 } }, 'monitors.a.minimumInterval'],
    [{ a: { module: 'x.js', files: ['../x'] } }, 'monitors.a.files.0'],
    [{ a: { module: 'x.js', arguments: { f: () => 1 } } }, 'monitors.a.arguments.f'],
    [{ 'a b': { module: 'x.js' } }, 'monitors.a b'],
  ])('refuses %j', (monitors, at) => {
    expect(problem(monitors)).toBe(at);
  });
});
