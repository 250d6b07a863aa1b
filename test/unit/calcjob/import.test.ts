import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from '../../../src/calcjob/parse.js';
import { retrieve } from '../../../src/calcjob/retrieve.js';
import { stash } from '../../../src/calcjob/stash.js';
import { upload } from '../../../src/calcjob/upload.js';
import type { JobInput } from '../../../src/config/job.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { filesBelow, type VerbRig, verbRig } from './verb-rig.js';

let rig: VerbRig;
let run: string;
beforeEach(async () => {
  rig = await verbRig();
  run = await rig.write('by hand', { 'pw.out': 'energy -3.5\n', 'out/a.xml': '<a/>' });
});
afterEach(() => rig[Symbol.asyncDispose]());

const verbs = { upload, stash, retrieve } as const;

/** Does every verb of a job, one after the other, as long as nothing is to be submitted. */
async function ended(job: Partial<JobInput>) {
  let row: ProcessRow = await rig.create(job);
  const stages: (string | null)[] = [];
  while (row.stage !== 'parse') {
    stages.push(row.stage);
    const verb = verbs[row.stage as keyof typeof verbs];
    row = await rig.carryOut(row, await verb(rig.context(row)));
  }
  const transition = await parse(row, { ...rig, signal: rig.stop.signal });
  return { row, stages, transition, files: await rig.stored(row.id, 'outputs') };
}

describe('a run that others have made', () => {
  it('is retrieved and parsed, and nothing of it is changed or submitted', async () => {
    const parser = path.join(rig.directory, 'energy.mjs');
    await writeFile(
      parser,
      `import { readFileSync } from 'node:fs';
       export default ({ files }) => ({ outputs: { energy: Number(readFileSync(files['pw.out'], 'utf8').split(' ')[1]) } });`,
    );
    const before = await filesBelow(run);
    const { row, stages, files, transition } = await ended({
      ...{ remoteFolder: `${run}/`, retrieve: ['pw.out', 'out/*'], parser },
      ...{ remoteCopy: [{ from: '/nowhere' }] },
    });
    expect(stages).toEqual(['upload', 'retrieve']);
    expect(files).toEqual({ 'pw.out': 'energy -3.5\n', 'out/a.xml': '<a/>' });
    expect(transition).toMatchObject({ exit: { status: 0 }, outputs: { energy: -3.5, exitCode: null } });
    expect(row).toMatchObject({ remote_directory: run, job_id: null });
    expect(await rig.reports(row.id)).toEqual([`the run in ${run} is imported: nothing is submitted`]);
    expect(await filesBelow(run)).toEqual(before);
    expect(await readdir(rig.place)).toEqual(['by hand']);
  });

  it('may have been one of ours, and have failed', async () => {
    await rig.write('by hand', { '.wherry/exit': '3\n' });
    const { transition } = await ended({ remoteFolder: run, retrieve: ['pw.out'] });
    expect(transition).toMatchObject({ exit: { status: 3, label: 'COMMAND_FAILED' } });
  });

  it('fails where a result is missing', async () => {
    const { transition } = await ended({ remoteFolder: run, retrieve: ['none.out'] });
    expect(transition).toMatchObject({ exit: { status: 11, label: 'MISSING_OUTPUT' } });
  });

  it('may be stashed', async () => {
    const to = path.join(rig.place, 'kept');
    const { stages, transition } = await ended({ remoteFolder: run, stash: { to, files: ['out'] } });
    expect(stages).toEqual(['upload', 'stash', 'retrieve']);
    const { path: place } = (transition.outputs as { stash: { path: string } }).stash;
    expect(await filesBelow(place)).toEqual({ 'out/a.xml': '<a/>' });
  });

  it.each(['/nowhere', 'pw.out'])('has to be there: %s', async (name) => {
    const remoteFolder = path.resolve(run, name);
    const { transition, row } = await ended({ remoteFolder });
    expect(transition).toMatchObject({ to: 'finished', exit: { status: 12, label: 'MISSING_SOURCE' } });
    expect(row.job_id).toBeNull();
  });
});
