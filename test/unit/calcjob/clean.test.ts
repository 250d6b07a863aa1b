import { chmod, lstat, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clean } from '../../../src/calcjob/clean.js';
import type { CalcJobContext } from '../../../src/calcjob/context.js';
import { isOwnDirectory, jobDirectory, ownerOfPath } from '../../../src/calcjob/job-directory.js';
import { stash } from '../../../src/calcjob/stash.js';
import { upload } from '../../../src/calcjob/upload.js';
import type { JobInput } from '../../../src/config/job.js';
import type { ExecOptions } from '../../../src/plugin/transport.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { filesBelow, type VerbRig, verbRig } from './verb-rig.js';

let rig: VerbRig;
beforeEach(async () => {
  rig = await verbRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

const directoryOf = (row: ProcessRow) => row.remote_directory ?? '';
const exists = (file: string) =>
  lstat(file).then(
    () => true,
    () => false,
  );

/** A calcjob whose directory was made by its upload, with some files in it. */
async function uploaded(job: Partial<JobInput> = {}): Promise<ProcessRow> {
  const created = await rig.create(job);
  const row = await rig.carryOut(created, await upload(rig.context(created)));
  await mkdir(path.join(directoryOf(row), 'out/deep'), { recursive: true });
  await writeFile(path.join(directoryOf(row), 'out/deep/x'), 'x');
  await writeFile(path.join(directoryOf(row), '.hidden'), 'h');
  return row;
}

describe('the directory of a calcjob', () => {
  it('is removed with all that is in it, and what stands beside it stays', async () => {
    const [row, neighbour] = [await uploaded(), await uploaded()];
    const sibling = `${directoryOf(row)}.part`;
    await mkdir(sibling);
    const elsewhere = await rig.write('elsewhere', { precious: 'p' });
    await symlink(elsewhere, path.join(directoryOf(row), 'out/link'));
    expect(await clean(rig.context(row))).toBe(directoryOf(row));
    expect(await exists(directoryOf(row))).toBe(false);
    expect(await readdir(path.dirname(directoryOf(row)))).toEqual([path.basename(sibling)]);
    expect(await filesBelow(directoryOf(neighbour))).toMatchObject({ 'out/deep/x': 'x' });
    expect(await filesBelow(elsewhere)).toEqual({ precious: 'p' });
  });

  it('is removed although its job has left folders that nobody may write to or read', async () => {
    const row = await uploaded();
    const folders = ['out/deep', 'out', '.'].map((name) => path.join(directoryOf(row), name));
    for (const [index, folder] of folders.entries()) await chmod(folder, [0o500, 0o000, 0o500][index] ?? 0);
    await clean(rig.context(row));
    expect(await exists(directoryOf(row))).toBe(false);
  });

  it('may be large: that it gets on is told meanwhile', async () => {
    const row = await uploaded();
    const names = Array.from({ length: 1_100 }, (_, index) => path.join(directoryOf(row), `f${index}`));
    await Promise.all(names.map((name) => writeFile(name, '')));
    const context = rig.context(row);
    let told = '';
    const exec = (script: string, options: ExecOptions) =>
      rig.connection.exec(script, {
        ...options,
        onStdout: (chunk) => {
          told += chunk.toString();
          return options.onStdout?.(chunk);
        },
      });
    await clean({ ...context, connection: { ...context.connection, exec } });
    expect(told).toBe('.\n');
    expect(await exists(directoryOf(row))).toBe(false);
  });

  it('that is gone is as good as removed', async () => {
    const row = await uploaded();
    await clean(rig.context(row));
    expect(await clean(rig.context(row))).toBe(directoryOf(row));
    await rm(path.join(rig.place, 'work', row.uuid.slice(0, 2)), { recursive: true });
    expect(await clean(rig.context(row))).toBe(directoryOf(row));
  });

  it('cannot be told to be gone where the work directory itself is', async () => {
    const row = await uploaded();
    await rename(path.join(rig.place, 'work'), path.join(rig.place, 'unmounted'));
    await expect(clean(rig.context(row))).rejects.toMatchObject({ code: 'file-missing' });
  });

  it('that cannot be looked at is not taken for gone', async () => {
    const row = await uploaded();
    const above = path.dirname(directoryOf(row));
    await rename(above, path.join(rig.place, 'moved'));
    await writeFile(above, 'a file');
    await expect(clean(rig.context(row))).rejects.toMatchObject({
      message: expect.stringContaining('Not a directory'),
    });
  });

  it('is left as it was when the script dies in the middle, for the next to go on', async () => {
    const row = await uploaded();
    const context = rig.context(row);
    const dying = (script: string, options: ExecOptions) =>
      rig.connection.exec(`rm() { command rm -rf "$2/out"; kill -9 $$; }\n${script}`, options);
    const broken: CalcJobContext = { ...context, connection: { ...context.connection, exec: dying } };
    await expect(clean(broken)).rejects.toMatchObject({ transient: true });
    expect(Object.keys(await filesBelow(directoryOf(row)))).toContain('.hidden');
    await clean(context);
    expect(await exists(directoryOf(row))).toBe(false);
  });

  it('that is being written to is tried again', async () => {
    const context = rig.context(await uploaded());
    const busy = (script: string, options: ExecOptions) => {
      const rm_ = `rm() { echo "rm: cannot remove '$2': Directory not empty" >&2; return 1; }`;
      return rig.connection.exec(`${rm_}\n${script}`, options);
    };
    const written: CalcJobContext = { ...context, connection: { ...context.connection, exec: busy } };
    await expect(clean(written)).rejects.toMatchObject({ code: 'command-failed', transient: true });
  });
});

describe('nothing else', () => {
  const refused = async (row: ProcessRow, words: RegExp) => {
    const error: unknown = await clean(rig.context(row)).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'unsafe-path', transient: false, message: expect.stringMatching(words) });
  };

  it.each([1, 2, 3])('is removed through a link in the place of part %i of its name', async (part) => {
    const row = await uploaded();
    const parts = path.relative(path.join(rig.place, 'work'), directoryOf(row)).split('/');
    const place = path.join(rig.place, 'work', ...parts.slice(0, part));
    await rename(place, path.join(rig.place, 'moved'));
    await symlink(path.join(rig.place, 'moved'), place);
    await refused(row, /is a link; nothing was removed$/);
    const below = parts.slice(part).join('/');
    expect(await filesBelow(path.join(rig.place, 'moved', below))).toMatchObject({ 'out/deep/x': 'x' });
    expect((await lstat(place)).isSymbolicLink()).toBe(true);
  });

  it('is removed that is no directory', async () => {
    const row = await uploaded();
    await rm(directoryOf(row), { recursive: true });
    await writeFile(directoryOf(row), 'a file');
    await refused(row, /is no directory; nothing was removed$/);
    expect(await readFile(directoryOf(row), 'utf8')).toBe('a file');
  });

  it('is removed of a run that was imported, even one of ours', async () => {
    const original = await uploaded();
    const imported = await rig.create({ remoteFolder: directoryOf(original) });
    const row = await rig.carryOut(imported, await upload(rig.context(imported)));
    await refused(row, /made by others/);
    expect(await exists(directoryOf(original))).toBe(true);
  });

  it('is removed when the computer has another work directory now, or the row names another place', async () => {
    const row = await uploaded();
    const elsewhere = await rig.write('elsewhere', { precious: 'p' });
    for (const remote_directory of [elsewhere, jobDirectory(elsewhere, row.uuid), path.join(rig.place, 'work')]) {
      await refused({ ...row, remote_directory }, /is not below/);
    }
    expect(await filesBelow(elsewhere)).toEqual({ precious: 'p' });
    expect(await exists(directoryOf(row))).toBe(true);
  });

  it('is removed of a stash', async () => {
    const to = path.join(rig.place, 'kept');
    const created = await uploaded({ stash: { to, files: ['out'] } });
    const row = await rig.carryOut({ ...created, stage: 'submit' }, { to: 'waiting', stage: 'stash' });
    await rig.carryOut(row, await stash(rig.context(row)));
    await clean(rig.context(row));
    expect(await filesBelow(jobDirectory(to, row.uuid))).toEqual({ 'out/deep/x': 'x' });
  });
});

describe('the name of a directory', () => {
  const uuid = '0a1b2c3d-0000-4000-8000-0123456789ab';
  it('tells whose it is', () => {
    const own = jobDirectory('/scratch/me', uuid);
    expect([own, `${own}/out/x`, jobDirectory('', uuid)].map(ownerOfPath)).toEqual([uuid, uuid, uuid]);
    expect(['/scratch/me', `${own}x`, `/scratch/${uuid}`, own.replace('0a/1b', '0a/1')].map(ownerOfPath)).toEqual([
      ...[undefined, undefined, undefined, undefined],
    ]);
    expect([own, `${own}/out`, '/scratch/me', ''].map((name) => isOwnDirectory(name, uuid))).toEqual([
      ...[true, false, false, false],
    ]);
  });
});
