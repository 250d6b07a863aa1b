import { readdir, rm, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readState } from '../../../src/calcjob/context.js';
import { parse } from '../../../src/calcjob/parse.js';
import { sweepPassing } from '../../../src/calcjob/passing.js';
import { retrieve } from '../../../src/calcjob/retrieve.js';
import type { JobInput } from '../../../src/config/job.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { type VerbRig, verbRig } from './verb-rig.js';

let rig: VerbRig;
beforeEach(async () => {
  rig = await verbRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

const results = { 'out.txt': 'kept', 'wave.dat': 'large', 'sub/more.txt': 'more', '.wherry/exit': '0\n' };

/** A process whose job has ended and left these files. */
async function ended(job: Partial<JobInput>): Promise<ProcessRow> {
  const remote_directory = await rig.write('job', results);
  return rig.create(job, [], { state: 'waiting', stage: 'retrieve', remote_directory });
}
const retrieved = async (row: ProcessRow) => rig.carryOut(row, await retrieve(rig.context(row)));

/** A parser that tells what it was given. */
async function telling(): Promise<string> {
  const parser = path.join(rig.directory, 'tell.mjs');
  await writeFile(
    parser,
    `import { readFileSync } from 'node:fs';
     const texts = (files) => Object.fromEntries(Object.entries(files).map(([name, file]) => [name, readFileSync(file, 'utf8')]));
     export default ({ files, temporaryFiles }) => ({ outputs: { kept: texts(files), temporary: texts(temporaryFiles) } });`,
  );
  return parser;
}
const parsed = (row: ProcessRow) => parse(row, { ...rig, signal: rig.stop.signal });
const passing = () => readdir(path.join(rig.directory, 'repository/passing')).catch(() => []);

describe('what is retrieved', () => {
  it('is what the job asks for and what is asked for beside that', async () => {
    const row = await retrieved(
      await ended({ retrieve: ['out.txt'], retrieveAlso: [{ from: 'sub/*', to: '.' }, 'none'] }),
    );
    expect(await rig.stored(row.id, 'outputs')).toEqual({
      'out.txt': 'kept',
      'more.txt': 'more',
      '.wherry/exit': '0\n',
    });
    expect(readState(row)).toMatchObject({ commandExit: 0, missing: ['none'] });
    expect(await rig.reports(row.id)).toEqual(['"none" was to be retrieved and does not exist']);
  });

  it('is given to the parser and gone with the end of the process, where it is temporary', async () => {
    const job = { retrieve: ['out.txt'], retrieveTemporary: ['wave.dat', 'out.txt'], parser: await telling() };
    const row = await retrieved(await ended(job));
    const transition = await parsed(row);
    expect(transition).toMatchObject({
      to: 'finished',
      outputs: { kept: { 'out.txt': 'kept' }, temporary: { 'wave.dat': 'large', 'out.txt': 'kept' } },
    });
    await rig.carryOut(row, transition);
    await rig.repository.forget(row.uuid);
    expect(await rig.stored(row.id, 'temporary')).toEqual({});
    expect(Object.keys(await rig.stored(row.id, 'outputs'))).toEqual(['.wherry/exit', 'out.txt']);
    expect(await passing()).toEqual([]);
  });

  it('never enters the repository, where it is temporary', async () => {
    const row = await retrieved(await ended({ retrieveTemporary: ['wave.dat'] }));
    expect(await rig.stored(row.id, 'temporary')).toEqual({ 'wave.dat': null });
  });

  it('is brought again when it was temporary and is gone', async () => {
    const row = await retrieved(await ended({ retrieveTemporary: ['wave.dat'], parser: await telling() }));
    await rig.repository.forget(row.uuid);
    const back = await rig.carryOut(row, await parsed(row));
    expect(back).toMatchObject({ state: 'waiting', stage: 'retrieve' });
    const again = await retrieved(back);
    expect(await parsed(again)).toMatchObject({ to: 'finished', outputs: { temporary: { 'wave.dat': 'large' } } });
  });
});

describe('what was left behind', () => {
  it('by processes that have ended otherwise is removed after a day, and nothing else', async () => {
    const rows = [];
    for (const name of ['ended', 'living', 'new']) {
      const row = await retrieved(await ended({ label: name, retrieveTemporary: ['wave.dat'] }));
      rows.push(row);
      if (name !== 'new') await utimes(path.join(rig.directory, 'repository/passing', row.uuid), 1, 1);
    }
    const [dead, living, young] = rows as [ProcessRow, ProcessRow, ProcessRow];
    await rig.carryOut(dead, { to: 'killed' });
    await rig.carryOut(young, { to: 'killed' });
    await sweepPassing(rig, Date.now());
    expect((await passing()).sort()).toEqual([living.uuid, young.uuid].sort());
    await rm(path.join(rig.directory, 'repository/passing'), { recursive: true });
    await sweepPassing(rig, Date.now());
  });
});
