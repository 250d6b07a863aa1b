import { mkdir, readdir, readlink, rm, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CalcJobState, readState, type StashedFiles, writeState } from '../../../src/calcjob/context.js';
import { gather } from '../../../src/calcjob/gather.js';
import { jobDirectory } from '../../../src/calcjob/job-directory.js';
import { parse } from '../../../src/calcjob/parse.js';
import { retrieve } from '../../../src/calcjob/retrieve.js';
import { stash } from '../../../src/calcjob/stash.js';
import { type Evidence, update } from '../../../src/calcjob/update.js';
import { upload } from '../../../src/calcjob/upload.js';
import type { JobInput } from '../../../src/config/job.js';
import { WherryError } from '../../../src/errors.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { filesBelow, type VerbRig, verbRig } from './verb-rig.js';

type StashInput = NonNullable<JobInput['stash']>;

let rig: VerbRig;
let base: string;
beforeEach(async () => {
  rig = await verbRig();
  base = path.join(rig.place, 'kept');
});
afterEach(() => rig[Symbol.asyncDispose]());

const left = {
  'charge.dat': 'charge',
  'out/a.xml': '<a/>',
  'out/deep/b.xml': '<b/>',
  ' odd\n\\n*.dat': 'odd',
  '.hidden': 'hidden',
  '.wherry/exit': '0\n',
};

/** A process whose job has ended and left these files. */
async function ended(wanted: Partial<StashInput>, state: CalcJobState = {}): Promise<ProcessRow> {
  const remote_directory = await rig.write('job', left);
  const checkpoint = writeState({ end: { source: 'exit-file' }, stash: 'wanted', ...state });
  const columns = { state: 'waiting', stage: 'stash', remote_directory, checkpoint };
  return rig.create({ stash: { to: base, files: ['out'], ...wanted } }, [], columns);
}
const folderOf = (row: ProcessRow) => jobDirectory(base, row.uuid);
const stashed = async (row: ProcessRow) => rig.carryOut(row, await stash(rig.context(row)));
const outcomeOf = (row: ProcessRow) => readState(row).stash;

/** The end of a process, after its results were retrieved. */
async function endOf(row: ProcessRow) {
  const after = await rig.carryOut(row, await retrieve(rig.context(row)));
  return parse(after, { ...rig, signal: rig.stop.signal });
}

/** Uploads a calcjob that takes from a stash; gives its row and its files. */
async function unstashed(unstash: NonNullable<JobInput['unstash']>, more: Partial<JobInput> = {}) {
  const row = await rig.create({ unstash, ...more });
  const sent = await rig.carryOut(row, await upload(rig.context(row)));
  const after = await rig.carryOut(sent, await gather(rig.context(sent)));
  const all = Object.entries(await filesBelow(jobDirectory(path.join(rig.place, 'work'), row.uuid)));
  return { row: after, files: Object.fromEntries(all.filter(([name]) => !name.startsWith('.wherry/'))) };
}

describe('files that are stashed', () => {
  it.each<[string, string[], Record<string, string>]>([
    ['a file', ['charge.dat'], { 'charge.dat': 'charge' }],
    ['a folder', ['out/'], { 'out/a.xml': '<a/>', 'out/deep/b.xml': '<b/>' }],
    ['a pattern, with its path', ['out/*.xml'], { 'out/a.xml': '<a/>' }],
    ['what several name once', ['out/deep', 'out', 'out/*'], { 'out/a.xml': '<a/>', 'out/deep/b.xml': '<b/>' }],
    ['an odd name', [' odd*'], { ' odd\n\\n*.dat': 'odd' }],
    ['nothing outside, and not our folder', ['.*'], { '.hidden': 'hidden' }],
  ])('stand in a folder of the process: %s', async (_title, files, expected) => {
    const row = await stashed(await ended({ files }));
    expect(await filesBelow(folderOf(row))).toEqual(expected);
    expect(outcomeOf(row)).toEqual({ computer: 'here', path: folderOf(row), mode: 'copy', missing: [] });
    expect(row).toMatchObject({ state: 'waiting', stage: 'retrieve' });
  });

  it('are an output of the process, with what is missing', async () => {
    const row = await stashed(await ended({ files: ['out', 'none', 'no*'] }));
    const outcome = { computer: 'here', path: folderOf(row), mode: 'copy', missing: ['none', 'no*'] };
    expect(await endOf(row)).toMatchObject({ to: 'finished', exit: { status: 0 }, outputs: { stash: outcome } });
    expect(await rig.reports(row.id)).toEqual([
      '"none" was to be stashed and does not exist',
      '"no*" was to be stashed and does not exist',
    ]);
  });

  it('are what links lead to, where that is asked for', async () => {
    const outside = await rig.write('outside', { 'x.dat': 'x' });
    const [one, other] = [await ended({ files: ['out'] }), await ended({ files: ['out'], dereference: true })];
    await symlink(path.join(outside, 'x.dat'), path.join(rig.place, 'job/out/link'));
    expect(await readlink(path.join(folderOf(await stashed(one)), 'out/link'))).toBe(path.join(outside, 'x.dat'));
    expect(await filesBelow(folderOf(await stashed(other)))).toMatchObject({ 'out/link': 'x' });
  });

  it('stay as they are when it is done again', async () => {
    const row = await ended({});
    await stashed(row);
    await rm(path.join(rig.place, 'job/out'), { recursive: true });
    const again = await stash(rig.context(row));
    expect(again).toMatchObject({ stage: 'retrieve' });
    expect(await filesBelow(folderOf(row))).toEqual({ 'out/a.xml': '<a/>', 'out/deep/b.xml': '<b/>' });
  });

  it('replace what an attempt has left that was broken off, and nothing of others', async () => {
    const row = await ended({});
    const sibling = path.join(path.dirname(folderOf(row)), 'sibling');
    await mkdir(`${sibling}.part`, { recursive: true });
    await rig.write(path.relative(rig.place, `${folderOf(row)}.part`), { 'out/half': 'half' });
    await stashed(row);
    expect(await filesBelow(folderOf(row))).toEqual({ 'out/a.xml': '<a/>', 'out/deep/b.xml': '<b/>' });
    expect((await readdir(path.dirname(sibling))).sort()).toEqual(
      [path.basename(folderOf(row)), 'sibling.part'].sort(),
    );
  });
});

describe('a stash that fails', () => {
  it('is the end of a process that would have been good, whose results are there', async () => {
    const row = await stashed(await ended({ files: ['out', 'none'], failOnMissing: true }));
    expect(outcomeOf(row)).toEqual({ failure: 'none: no such file' });
    expect(await readdir(rig.place)).not.toContain('kept');
    const transition = await endOf(row);
    expect(transition).toMatchObject({ to: 'finished', exit: { status: 160, label: 'STASH_FAILED' } });
    expect(transition.outputs).not.toHaveProperty('stash');
    expect(await rig.stored(row.id, 'outputs')).toEqual({ '.wherry/exit': '0\n' });
  });

  it('does not hide that the job failed', async () => {
    const row = await ended({ files: ['none'], failOnMissing: true });
    await rig.write('job', { '.wherry/exit': '3\n' });
    expect(await endOf(await stashed(row))).toMatchObject({ exit: { status: 3, label: 'COMMAND_FAILED' } });
  });

  it('removes its own folder alone', async () => {
    const row = await ended({ files: ['out', 'charge.dat'] });
    const siblings = path.dirname(folderOf(row));
    await rig.write(path.relative(rig.place, path.join(siblings, 'other')), { 'theirs.dat': 'theirs' });
    // A link in the first entry leads the second one out of the folder: that is refused in the middle.
    const outside = await rig.write('outside', { 'mine.dat': 'mine' });
    await symlink(outside, path.join(rig.place, 'job/out/way'));
    const wanted = { ...row, inputs: row.inputs.replace('"charge.dat"', '"out/way/mine.dat"') };
    const after = await stashed(wanted);
    expect(outcomeOf(after)).toMatchObject({ failure: expect.stringContaining('a link stands where a folder') });
    expect(await readdir(siblings)).toEqual(['other']);
    expect(await filesBelow(outside)).toEqual({ 'mine.dat': 'mine' });
  });

  it('because a file stands where its folders should be', async () => {
    await rig.write('.', { kept: 'a file' });
    const after = await stashed(await ended({}));
    expect(outcomeOf(after)).toMatchObject({ failure: expect.stringContaining('Not a directory') });
  });

  it('because of something that passes is tried again', async () => {
    const row = await ended({});
    const context = rig.context(row);
    const exec = async () => {
      throw new WherryError('connection-lost', 'the line broke', { transient: true });
    };
    const broken = { ...context, connection: { ...context.connection, exec } };
    await expect(stash(broken)).rejects.toMatchObject({ code: 'connection-lost' });
    rig.stop.abort();
    await expect(stash(context)).rejects.toMatchObject({ code: 'aborted' });
  });
});

describe('an archive', () => {
  const modes: [StashedFiles['mode'], string][] = [
    ['tar', 'stash.tar'],
    ['tar.gz', 'stash.tar.gz'],
    ['tar.xz', 'stash.tar.xz'],
  ];
  it.each(modes)('of mode %s is made, and unpacked by another job', async (mode, name) => {
    const row = await stashed(await ended({ mode, files: ['out', ' odd*', 'none'] }));
    expect(await readdir(folderOf(row))).toEqual([name]);
    expect(outcomeOf(row)).toMatchObject({ mode, missing: ['none'] });
    const all = await unstashed({ from: folderOf(row) });
    expect(all.files).toEqual({ 'out/a.xml': '<a/>', 'out/deep/b.xml': '<b/>', ' odd\n\\n*.dat': 'odd' });
    const some = await unstashed({ from: folderOf(row), files: ['out/*.xml', ' o*', 'out/deep/'], into: 'in' });
    expect(some.files).toEqual({ 'in/out/a.xml': '<a/>', 'in/out/deep/b.xml': '<b/>', 'in/ odd\n\\n*.dat': 'odd' });
    expect(await readdir(path.dirname(folderOf(row)))).toHaveLength(1);
  });

  it('of nothing is not made', async () => {
    const row = await stashed(await ended({ mode: 'tar', files: ['none'] }));
    expect(await readdir(folderOf(row))).toEqual([]);
    expect((await unstashed({ from: folderOf(row) })).files).toEqual({});
  });

  it('that cannot be made is a failure', async () => {
    const row = await ended({ mode: 'tar.gz', files: ['out'], dereference: true });
    await symlink('/nowhere', path.join(rig.place, 'job/out/broken'));
    const after = await stashed(row);
    expect(outcomeOf(after)).toMatchObject({ failure: expect.stringContaining('out/broken') });
    expect(await stat(`${folderOf(row)}.part`).catch(() => 'gone')).toBe('gone');
    expect(await stat(folderOf(row)).catch(() => 'gone')).toBe('gone');
  });
});

describe('a stash of files as they are', () => {
  it('is brought back by the number of its process, before copies', async () => {
    const source = await stashed(await ended({ files: ['out', '.hidden'] }));
    await rig.store
      .updateTable('processes')
      .set({ outputs: JSON.stringify({ stash: outcomeOf(source) }) })
      .where('id', '=', source.id)
      .execute();
    const copied = await rig.write('other', { 'a.xml': 'newer' });
    const remoteCopy = [{ from: `${copied}/a.xml`, to: 'back/out/' }];
    const { files } = await unstashed({ from: source.id, into: 'back' }, { remoteCopy });
    expect(files).toEqual({ 'back/out/a.xml': 'newer', 'back/out/deep/b.xml': '<b/>', 'back/.hidden': 'hidden' });
    expect(await filesBelow(folderOf(source))).toMatchObject({ 'out/a.xml': '<a/>' });
  });

  it('ends the process that wants what is not in it, or not there at all', async () => {
    const source = await stashed(await ended({}));
    const { row, files } = await unstashed({ from: folderOf(source), files: ['out', 'none', 'x*'] });
    expect(files).toEqual({});
    expect(readState(row).refusal).toMatchObject({
      status: 12,
      message: expect.stringContaining(`: none in ${folderOf(source)}, x* in ${folderOf(source)}`),
    });
    for (const from of ['/nowhere', 999]) {
      expect(readState((await unstashed({ from })).row).refusal).toMatchObject({ status: 12 });
    }
  });
});

describe('the way of a job that stashes', () => {
  const done: Evidence = { listed: { id: '7', state: 'done', word: 'D', exitCode: 0 } };
  it('goes from upload over the end of the job to stash, and from there to retrieve', async () => {
    const row = await rig.create({ stash: { to: base, files: ['x'] } });
    const uploaded = await rig.carryOut(row, await upload(rig.context(row)));
    expect(update({ ...uploaded, stage: 'update' }, done, 1)).toMatchObject({ stage: 'stash' });
    expect(update({ ...uploaded, stage: 'update', checkpoint: null }, done, 1)).toMatchObject({ stage: 'retrieve' });
  });
});
