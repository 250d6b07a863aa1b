import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requestCleaning, whyCleaned } from '../../../src/calcjob/cleaned.js';
import { readState } from '../../../src/calcjob/context.js';
import { gather } from '../../../src/calcjob/gather.js';
import { jobDirectory } from '../../../src/calcjob/job-directory.js';
import { upload } from '../../../src/calcjob/upload.js';
import type { JobInput } from '../../../src/config/job.js';
import type { ExecOptions } from '../../../src/plugin/transport.js';
import type { NewProcessRow, ProcessRow } from '../../../src/store/tables.js';
import { filesBelow, type VerbRig, verbRig } from './verb-rig.js';

let rig: VerbRig;
let source: ProcessRow;
beforeEach(async () => {
  rig = await verbRig();
  source = await past();
});
afterEach(() => rig[Symbol.asyncDispose]());

/** An ended calcjob with a directory that holds `x`. */
async function past(columns: Partial<NewProcessRow> = {}): Promise<ProcessRow> {
  const row = await rig.create({});
  const remote_directory = await rig.write(
    path.relative(rig.place, jobDirectory(path.join(rig.place, 'work'), row.uuid)),
    {
      x: 'x',
    },
  );
  const end = { state: 'finished', stage: null, ended_at: 1, remote_directory, ...columns };
  await rig.store.updateTable('processes').set(end).where('id', '=', row.id).execute();
  return { ...row, ...end } as ProcessRow;
}

const ask = (row: ProcessRow) =>
  rig.store.transaction().execute((transaction) => requestCleaning(transaction, [row], { reason: 'test' }, 7));
const mark = (row: ProcessRow, changes: object) =>
  rig.store.updateTable('cleanings').set(changes).where('process_id', '=', row.id).execute();

describe('a job that takes files of a directory', () => {
  const uploaded = async (job: Partial<JobInput>) => {
    const row = await rig.create(job);
    return rig.carryOut(row, await upload(rig.context(row)));
  };
  const refusal = async (row: ProcessRow, context = rig.context(row)) => {
    const after = await rig.carryOut(row, await gather(context));
    return readState(after).refusal;
  };

  it.each<[string, () => Partial<JobInput>]>([
    ['a copy of a process', () => ({ remoteCopy: [{ from: { process: source.id, path: 'x' } }] })],
    ['a copy by its path', () => ({ remoteCopy: [{ from: `${source.remote_directory}/x` }] })],
    ['a link', () => ({ remoteSymlink: [{ from: `${source.remote_directory}/*` }] })],
  ])('that was removed ends with that reason: %s', async (_what, job) => {
    const row = await uploaded(job());
    await ask(source);
    await rm(source.remote_directory ?? '', { recursive: true });
    await mark(source, { due_at: null, cleaned_at: 7 });
    const { status, message } = (await refusal(row)) ?? {};
    expect(status).toBe(12);
    expect(message).toContain(`the work directory of process ${source.id} was removed at 1970-01-01T00:00:00.007Z`);
  });

  it('that begins to be removed while it is copied from is not taken for whole', async () => {
    const row = await uploaded({ remoteCopy: [{ from: { process: source.id, path: 'x' } }] });
    const context = rig.context(row);
    const exec = async (script: string, options: ExecOptions) => {
      const result = await rig.connection.exec(script, options);
      if (script.includes('growth=')) await ask(source);
      return result;
    };
    const meanwhile = { ...context, connection: { ...context.connection, exec } };
    expect(await refusal(row, meanwhile)).toMatchObject({
      ...{ status: 12, message: expect.stringContaining(`process ${source.id} is being removed`) },
    });
  });

  it('whose removal was refused has them', async () => {
    const row = await uploaded({ remoteCopy: [{ from: { process: source.id, path: 'x' } }] });
    await ask(source);
    await mark(source, { due_at: null, failure: JSON.stringify({ code: 'unsafe-path', message: 'no', at: 7 }) });
    expect(await refusal(row)).toBeUndefined();
    expect(await filesBelow(rig.context(row).row.remote_directory ?? '')).toMatchObject({ x: 'x' });
  });
});

it('what has the same name on another computer, or as a stash, is something else', async () => {
  await ask(source);
  const { uuid, computer_id, remote_directory } = source;
  expect(await whyCleaned(rig.store, computer_id, `${remote_directory}/deep/x`)).toContain('is being removed');
  expect(await whyCleaned(rig.store, (computer_id ?? 0) + 1, `${remote_directory}/x`)).toBeUndefined();
  expect(await whyCleaned(rig.store, computer_id, jobDirectory('/archive', uuid))).toBeUndefined();
  expect(await whyCleaned(rig.store, computer_id, '/anything')).toBeUndefined();
});
