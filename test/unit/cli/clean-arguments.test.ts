import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jobDirectory } from '../../../src/calcjob/job-directory.js';
import { chosenCalcJobs } from '../../../src/cli/clean-arguments.js';
import { computerSchema } from '../../../src/config/computer.js';
import { addComputer } from '../../../src/engine/computers.js';
import { InputError } from '../../../src/errors.js';
import type { NewProcessRow } from '../../../src/store/tables.js';
import { insertProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';

let rig: TemporaryStore;
let computers: number[];
beforeEach(async () => {
  rig = await temporaryStore();
  computers = [];
  for (const label of ['here', 'there']) {
    const config = computerSchema.parse({ label, transport: 't', scheduler: 's', workDirectory: '/w' });
    computers.push((await addComputer(rig.store, config)).id);
  }
});
afterEach(() => rig[Symbol.asyncDispose]());

const day = 86_400_000;
const ended = { state: 'finished', stage: null, exit_status: 0, ended_at: 1 };

/** A calcjob with a directory of its own. */
async function calcJob(columns: Partial<NewProcessRow> = {}): Promise<number> {
  const { id, uuid } = await insertProcess(rig.store, { computer_id: computers[0] ?? 0, ...ended, ...columns });
  const remote_directory = columns.remote_directory ?? jobDirectory('/w', uuid);
  await rig.store.updateTable('processes').set({ remote_directory }).where('id', '=', id).execute();
  return id;
}

const none = {
  all: false,
  computer: undefined,
  'older-than': undefined,
  'newer-than': undefined,
  'exit-status': undefined,
};
const chosen = async (given: Partial<Parameters<typeof chosenCalcJobs>[1]>) =>
  (await chosenCalcJobs(rig.store, { ...none, ...given })).map(({ id }) => id);

describe('the calcjobs whose directories are removed', () => {
  it('are found by computer, age and exit status, of all that have one of their own and have ended', async () => {
    const now = Date.now();
    const old = await calcJob({ ended_at: now - 10 * day });
    const young = await calcJob({ ended_at: now - 2 * day, exit_status: 3 });
    const there = await calcJob({ ended_at: now - 20 * day, computer_id: computers[1] ?? 0 });
    const killed = await calcJob({ ended_at: now - 1_000, exit_status: null, state: 'killed' });
    await calcJob({ state: 'waiting', stage: 'update', ended_at: null, exit_status: null });
    await calcJob({ remote_directory: '/w/by/hand' });
    await insertProcess(rig.store, { ...ended, computer_id: computers[0] ?? 0 });
    await insertProcess(rig.store, { ...ended, kind: 'workflow' });
    const gone = await calcJob();
    const wish = { process_id: gone, computer_id: computers[0] ?? 0, requested_at: 1, due_at: null, cleaned_at: 1 };
    await rig.store.insertInto('cleanings').values(wish).execute();
    expect(await chosen({ all: true })).toEqual([old, young, there, killed]);
    expect(await chosen({ computer: ['there'] })).toEqual([there]);
    expect(await chosen({ computer: ['there', 'here'], 'older-than': '5' })).toEqual([old, there]);
    expect(await chosen({ 'older-than': '12h', 'newer-than': '5d' })).toEqual([young]);
    expect(await chosen({ 'exit-status': ['3', '0'], computer: ['here'] })).toEqual([old, young]);
  });

  it('can be named, and then all that is wrong with the names is told', async () => {
    const ids = [await calcJob(), await calcJob()];
    expect(await chosen({ ids: [String(ids[1]), String(ids[0]), String(ids[1])] })).toEqual(ids);
    const living = await calcJob({ state: 'waiting', stage: 'update', ended_at: null });
    const workflow = await insertProcess(rig.store, { ...ended, kind: 'workflow' });
    const wrong = chosen({ ids: [String(ids[0]), String(living), '999', 'x', String(workflow.id)] });
    const error: unknown = await wrong.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect((error as InputError).message.split('\n')).toEqual([
      `process ${living} has not ended: it is waiting`,
      'there is no process 999',
      '"x" is no id of a process',
      `process ${workflow.id} is a workflow: only calcjobs have directories on computers`,
    ]);
  });

  it.each<[string, Partial<Parameters<typeof chosenCalcJobs>[1]>]>([
    ['no calcjob is named', {}],
    ['exclude each other', { ids: ['1'], all: true }],
    ['exclude each other', { ids: ['1'], 'older-than': '3d' }],
    ['is no duration', { 'older-than': 'long' }],
    ['is no exit status', { 'exit-status': ['-1'] }],
    ['nowhere', { computer: ['nowhere'] }],
  ])('%s', async (words, given) => {
    const error: unknown = await chosen(given).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'bad-input', message: expect.stringContaining(words) });
  });
});
