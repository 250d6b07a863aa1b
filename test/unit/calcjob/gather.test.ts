import { lstat, mkdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCalcJobs } from '../../../src/calcjob/create.js';
import { gather } from '../../../src/calcjob/gather.js';
import { jobDirectory } from '../../../src/calcjob/job-directory.js';
import { parse } from '../../../src/calcjob/parse.js';
import { upload } from '../../../src/calcjob/upload.js';
import { type JobInput, jobSchema } from '../../../src/config/job.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { oddNames } from '../../conformance/transport.js';
import { filesBelow, type VerbRig, verbRig } from './verb-rig.js';

let rig: VerbRig;
let old: string;
beforeEach(async () => {
  rig = await verbRig();
  old = await rig.write('old', {
    'charge.dat': 'charge',
    'wave.1.dat': 'one',
    'wave.2.dat': 'two',
    'out/a.xml': '<a/>',
    'out/deep/b.xml': '<b/>',
    '.wherry/exit': '0\n',
    '.hidden': 'hidden',
  });
});
afterEach(() => rig[Symbol.asyncDispose]());

const directoryOf = (row: ProcessRow) => jobDirectory(path.join(rig.place, 'work'), row.uuid);

/** Uploads a new calcjob. Gives its row, and its files without ours. */
async function uploaded(job: Partial<JobInput>, inputs: Readonly<Record<string, string>> = {}) {
  const source = await rig.write('here', inputs);
  const files = Object.keys(inputs).map((name) => ({ path: name, source: path.join(source, name), mode: 0o644 }));
  const row = await rig.create(job, files);
  const after = await gathered(await sent(row));
  return { row: after, directory: directoryOf(row), files: await filesOf(row) };
}
const sent = async (row: ProcessRow) => rig.carryOut(row, await upload(rig.context(row)));
async function gathered(row: ProcessRow): Promise<ProcessRow> {
  return row.stage === 'gather' ? rig.carryOut(row, await gather(rig.context(row))) : row;
}
async function filesOf(row: ProcessRow) {
  const all = Object.entries(await filesBelow(directoryOf(row)));
  return Object.fromEntries(all.filter(([name]) => !name.startsWith('.wherry/')));
}
const copy = (...remoteCopy: NonNullable<JobInput['remoteCopy']>) => ({ remoteCopy });

describe('files that the computer has already', () => {
  it.each<[string, (old: string) => NonNullable<JobInput['remoteCopy']>[number], Record<string, string>]>([
    ['a file to the top', (at) => ({ from: `${at}/charge.dat` }), { 'charge.dat': 'charge' }],
    ['a file under another name', (at) => ({ from: `${at}/charge.dat`, to: 'in/c.dat' }), { 'in/c.dat': 'charge' }],
    ['a file into a folder', (at) => ({ from: `${at}/charge.dat`, to: 'in/' }), { 'in/charge.dat': 'charge' }],
    ['a folder', (at) => ({ from: `${at}/out`, to: '.' }), { 'out/a.xml': '<a/>', 'out/deep/b.xml': '<b/>' }],
    [
      'a folder under another name',
      (at) => ({ from: `${at}/out/`, to: 'x/y' }),
      { 'x/y/a.xml': '<a/>', 'x/y/deep/b.xml': '<b/>' },
    ],
    ['a pattern', (at) => ({ from: `${at}/wave.?.dat`, to: 'w' }), { 'w/wave.1.dat': 'one', 'w/wave.2.dat': 'two' }],
    [
      'a pattern with a class and folders',
      (at) => ({ from: `${at}/o[a-u]t/*` }),
      { 'a.xml': '<a/>', 'deep/b.xml': '<b/>' },
    ],
    ['what is hidden, without our folder', (at) => ({ from: `${at}/.*` }), { '.hidden': 'hidden' }],
  ])('are copied: %s', async (_title, entry, expected) => {
    const { row, files } = await uploaded(copy(entry(old)));
    expect(files).toEqual(expected);
    expect(row).toMatchObject({ state: 'waiting', stage: 'submit' });
    expect(await stat(path.join(directoryOf(row), '.wherry/staging')).catch(() => 'gone')).toBe('gone');
  });

  it('are copied by any name', async () => {
    const names = [...oddNames, 'a]b', '[!x]'].filter((name) => !/[*?[]/.test(name));
    const content = Object.fromEntries(names.map((name) => [name, name]));
    const odd = await rig.write("odd 'place' $HOME", content);
    const entries = names.map((name) => ({ from: `${odd}/${name}`, to: `got/${name}` }));
    const { files } = await uploaded(copy(...entries, { from: `${odd}/*`, to: 'all' }));
    const expected = [...Object.keys(content)].flatMap((name) => [`got/${name}`, `all/${name}`]);
    expect(Object.keys(files).sort()).toEqual(expected.sort());
  });

  it('come after the files that are sent, in their order, and fill folders that are there', async () => {
    const { files } = await uploaded(
      copy(
        { from: `${old}/charge.dat`, to: 'in/both' },
        { from: `${old}/out`, to: 'in' },
        { from: `${old}/wave.1.dat`, to: 'in/a.xml' },
      ),
      { 'in/both': 'sent', 'in/sent': 'sent' },
    );
    expect(files).toEqual({ 'in/both': 'charge', 'in/sent': 'sent', 'in/a.xml': 'one', 'in/deep/b.xml': '<b/>' });
  });

  it('are those of a process that has run there', async () => {
    const source = await rig.create({}, [], { remote_directory: old, state: 'finished', stage: null, ended_at: 1 });
    const { files } = await uploaded(copy({ from: { process: source.id, path: 'out/*.xml' }, to: 'x' }));
    expect(files).toEqual({ 'x/a.xml': '<a/>' });
  });

  it('are named by more text than a command may have', async () => {
    const name = 'long-name-'.repeat(24);
    const files = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`${name}${index}`, `${index}`]));
    const many = await rig.write('many', files);
    const { files: found } = await uploaded(
      copy(...Object.keys(files).map((each) => ({ from: `${many}/${each}`, to: `in/${each}` }))),
    );
    expect(Object.keys(found)).toHaveLength(150);
  });

  it('are linked, and the folders above the link are made', async () => {
    const { directory } = await uploaded({
      remoteSymlink: [
        { from: `${old}/out`, to: 'a/b/link' },
        { from: `${old}/wave.*.dat`, to: 'w' },
      ],
    });
    expect(await readlink(path.join(directory, 'a/b/link'))).toBe(`${old}/out`);
    expect(await readlink(path.join(directory, 'w/wave.2.dat'))).toBe(`${old}/wave.2.dat`);
  });

  it('are copied as what a link leads to, where a link is named; links below it stay links', async () => {
    await symlink('charge.dat', path.join(old, 'link'));
    await symlink('/nowhere', path.join(old, 'out/broken'));
    const { directory, files } = await uploaded(copy({ from: `${old}/link` }, { from: `${old}/out` }));
    expect(files).toMatchObject({ link: 'charge' });
    expect(await readlink(path.join(directory, 'out/broken'))).toBe('/nowhere');
  });
});

describe('a source that is missing', () => {
  it('ends the process, and all of them are named', async () => {
    const { row, files } = await uploaded({
      ...copy({ from: `${old}/charge.dat` }, { from: `${old}/none` }, { from: `${old}/no*ne`, to: 'x' }),
      remoteSymlink: [{ from: '/nowhere/at/all' }],
    });
    expect(files).toEqual({});
    expect(row).toMatchObject({ state: 'running', stage: 'parse', job_id: null });
    const transition = await parse(row, { ...rig, signal: rig.stop.signal });
    expect(transition).toMatchObject({ to: 'finished', exit: { status: 12, label: 'MISSING_SOURCE' } });
    expect(transition.exit?.message).toContain(`: ${old}/none, ${old}/no*ne, /nowhere/at/all`);
  });

  it('is one of a process that has no directory here', async () => {
    const elsewhere = await rig.create({}, [], { state: 'killed', stage: null, ended_at: 1 });
    const { row } = await uploaded(copy({ from: { process: elsewhere.id, path: 'x' } }));
    expect(JSON.parse(row.checkpoint ?? '').data.refusal.message).toContain(`x of process ${elsewhere.id}`);
  });
});

describe('nothing is written outside of the job', () => {
  it('through a link that was sent or copied before', async () => {
    const outside = await rig.write('outside', { 'mine.txt': 'mine' });
    await symlink(outside, path.join(old, 'out/way'));
    const row = await rig.create(copy({ from: `${old}/out` }, { from: `${old}/charge.dat`, to: 'out/way/mine.txt' }));
    await expect(gathered(await sent(row))).rejects.toMatchObject({
      code: 'file-exists',
      transient: false,
      message: expect.stringContaining('a folder was to go there'),
    });
    expect(await filesBelow(outside)).toEqual({ 'mine.txt': 'mine' });
  });

  it('through a link of the same list', async () => {
    const outside = await rig.write('outside', { 'mine.txt': 'mine' });
    const row = await rig.create({
      ...copy({ from: `${old}/charge.dat`, to: 'way/mine.txt' }),
      remoteSymlink: [{ from: outside, to: 'way' }],
    });
    await expect(gathered(await sent(row))).rejects.toMatchObject({ code: 'file-exists' });
    expect(await filesBelow(outside)).toEqual({ 'mine.txt': 'mine' });
  });

  it('and a link is replaced, not followed', async () => {
    const outside = await rig.write('outside', { 'mine.txt': 'mine' });
    await symlink(path.join(outside, 'mine.txt'), path.join(old, 'out/link'));
    const { directory } = await uploaded(copy({ from: `${old}/out` }, { from: `${old}/charge.dat`, to: 'out/link' }));
    expect((await lstat(path.join(directory, 'out/link'))).isFile()).toBe(true);
    expect(await filesBelow(outside)).toEqual({ 'mine.txt': 'mine' });
  });
});

describe('a gathering that is done again', () => {
  const job = () => ({
    ...copy({ from: `${old}/out`, to: 'in' }, { from: `${old}/wave.*` }),
    remoteSymlink: [{ from: `${old}/out`, to: 'in/link' }],
  });
  const expected = { 'in/a.xml': '<a/>', 'in/deep/b.xml': '<b/>', 'wave.1.dat': 'one', 'wave.2.dat': 'two' };

  it('changes nothing when everything is there', async () => {
    const { row, files } = await uploaded(job());
    expect(files).toEqual(expected);
    await rm(old, { recursive: true });
    expect(await gather(rig.context(row))).toMatchObject({ stage: 'submit' });
    expect(await filesOf(row)).toEqual(expected);
  });

  it('completes what was broken off at any point', async () => {
    const { row, directory } = await uploaded(job());
    // As if it had ended before its last line, and another attempt in the middle of a copy.
    await rm(path.join(directory, '.wherry/staged'));
    await rm(path.join(directory, 'wave.2.dat'));
    await mkdir(path.join(directory, '.wherry/staging/0/in/deep'), { recursive: true });
    expect(await gather(rig.context(row))).toMatchObject({ stage: 'submit' });
    expect(await filesOf(row)).toEqual(expected);
    expect(await readlink(path.join(directory, 'in/link'))).toBe(path.join(old, 'out'));
  });
});

describe('what is excluded', () => {
  it('is sent, and only that it was sent is stored', async () => {
    const { row, files } = await uploaded(
      { exclude: ['pseudo/', '*.key', 'none.txt'] },
      { 'in.txt': 'in', 'pseudo/deep/Si.upf': 'licensed', 'my.key': 'secret' },
    );
    expect(files).toEqual({ 'in.txt': 'in', 'pseudo/deep/Si.upf': 'licensed', 'my.key': 'secret' });
    expect(await rig.stored(row.id, 'inputs')).toEqual({ 'in.txt': 'in' });
    expect(await rig.stored(row.id, 'excluded')).toEqual({ 'my.key': null, 'pseudo/deep/Si.upf': null });
    await rig.repository.forget(row.uuid);
    const all = Object.values(await filesBelow(path.join(rig.directory, 'repository')));
    expect(all).toEqual(['in']);
  });

  it('and comes from the repository, such as the files of a code, is sent as well', async () => {
    const stored = await rig.repository.put(Buffer.from('#!/bin/sh\n'));
    const file = { path: 'run.sh', ...stored, mode: 0o755 };
    const job = jobSchema.parse({ command: ['./run.sh'], exclude: ['*'] });
    const [row] = await createCalcJobs(rig, [{ job, computer: rig.computer, files: [file] }]);
    if (row === undefined) throw new Error('nothing was created');
    const { changes } = await upload(rig.context(row));
    expect(await filesBelow(String(changes?.remote_directory))).toMatchObject({ 'run.sh': '#!/bin/sh\n' });
  });
});
