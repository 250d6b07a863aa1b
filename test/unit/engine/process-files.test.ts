import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { below, copyInto, folderName, type OutgoingFile } from '../../../src/engine/process-files.js';

let folder: string;
let target: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wherry-files-'));
  target = path.join(folder, 'target');
  await writeFile(path.join(folder, 'source'), 'content');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const file = (name: string, mode = 0o644): OutgoingFile => ({
  path: name,
  mode,
  source: async () => path.join(folder, 'source'),
});

describe('copyInto', () => {
  it('writes files with their folders and modes, and leaves nothing else', async () => {
    await copyInto(target, [file('a'), file('sub/b', 0o755)], false);
    expect(await readFile(path.join(target, 'sub/b'), 'utf8')).toBe('content');
    expect((await stat(path.join(target, 'sub/b'))).mode & 0o777).toBe(0o755);
    expect((await readdir(target, { recursive: true })).sort()).toEqual(['a', 'sub', 'sub/b']);
  });

  it('writes nothing at all when one file exists, unless it is forced', async () => {
    await mkdir(target);
    await writeFile(path.join(target, 'b'), 'mine');
    await expect(copyInto(target, [file('a'), file('b')], false)).rejects.toMatchObject({ code: 'file-exists' });
    expect(await readdir(target)).toEqual(['b']);
    await copyInto(target, [file('a'), file('b')], true);
    expect(await readFile(path.join(target, 'b'), 'utf8')).toBe('content');
  });

  it.each(['../x', '/x', 'a/../../x', 'a//b', '.', ''])('refuses the name %j', async (name) => {
    await expect(copyInto(target, [file(name)], true)).rejects.toMatchObject({ code: 'unsafe-path' });
  });

  it('follows no link in the folder, not even when forced', async () => {
    const outside = path.join(folder, 'outside');
    await mkdir(outside);
    await mkdir(target);
    await symlink(outside, path.join(target, 'sub'));
    await expect(copyInto(target, [file('sub/x')], true)).rejects.toMatchObject({ code: 'unsafe-path' });
    await writeFile(path.join(outside, 'y'), 'mine');
    await symlink(path.join(outside, 'y'), path.join(target, 'y'));
    await copyInto(target, [file('y')], true);
    expect(await readFile(path.join(outside, 'y'), 'utf8')).toBe('mine');
    expect(await readdir(outside)).toEqual(['y']);
  });
});

describe('below', () => {
  const entries = ['a', 'sub/b', 'subject', '.wherry/exit'].map((name) => ({ path: name }));
  const names = (asked?: string) => below(entries, asked).map((entry) => entry.path);
  it('chooses a file, a folder or everything of the user', () => {
    expect(names()).toEqual(['a', 'sub/b', 'subject']);
    expect(names('.')).toEqual(['a', 'sub/b', 'subject']);
    expect(names('sub/')).toEqual(['sub/b']);
    expect(names('./a')).toEqual(['a']);
    expect(names('.wherry')).toEqual(['.wherry/exit']);
    expect(names('x')).toEqual([]);
  });
});

describe('folderName', () => {
  it.each([
    ['silicon', 'silicon'],
    ['a b-1.2', 'a b-1.2'],
    ['', '7'],
    ['..', '7'],
    ['-x', '7'],
    ['a/b', '7'],
    ['line\nbreak', '7'],
  ])('of the label %j is %j', (label, name) => {
    expect(folderName({ id: 7, label })).toBe(name);
  });
});
