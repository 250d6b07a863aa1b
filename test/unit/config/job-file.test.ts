import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readJobFile, resolveFiles } from '../../../src/config/job-file.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wherry-job-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(name: string, content = 'x'): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), content);
}

const resolve = async (files: Record<string, string>) =>
  (await resolveFiles({ files }, folder)).map(({ path, source }) => [path, source.slice(folder.length + 1)]);

describe('readJobFile', () => {
  it('reads the job and finds its files beside it', async () => {
    await put('pw.in', 'abc');
    await put('job.yaml', 'command: [cat, pw.in]\nfiles: { in/pw.in: ./pw.in }\n');
    const { job, files } = await readJobFile(join(folder, 'job.yaml'));
    expect(job.command).toEqual(['cat', 'pw.in']);
    expect(files).toEqual([{ path: 'in/pw.in', source: join(folder, 'pw.in'), size: 3, mode: 0o644 }]);
  });

  it('tells of all missing files with place and nearest name', async () => {
    await put('pw.in');
    const path = join(folder, 'job.yaml');
    await put('job.yaml', 'command: [a]\nfiles:\n  pw.in: pw.inn\n  b: far/away\n');
    await expect(readJobFile(path)).rejects.toThrow(
      `${path}:3:10 files["pw.in"]: no such file or folder: "pw.inn" (did you mean "pw.in"?)\n` +
        `${path}:4:6 files.b: no such file or folder: "far/away"`,
    );
  });

  it.each([
    ['jab.yaml', /no such file \(did you mean "job\.yaml"\?\)$/],
    ['.', /is a folder, not a file$/],
    ['job.yaml/x', /cannot be read/],
    ['a\0b', /cannot hold a NUL character$/],
    ['latin.yaml', /is not text in UTF-8$/],
    ['big.yaml', /is larger than 10 MiB$/],
  ])('refuses %j', async (name, message) => {
    await put('job.yaml', 'command: [a]');
    await writeFile(join(folder, 'latin.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe4]));
    await writeFile(join(folder, 'big.yaml'), Buffer.alloc(11 * 2 ** 20, 32));
    await expect(readJobFile(join(folder, name))).rejects.toThrow(message);
  });
});

describe('resolveFiles', () => {
  it('takes every file below a folder, sorted, with the executable bit', async () => {
    for (const name of ['data/b', 'data/a', 'data/B', 'data/sub/.hidden', 'data/a.d/x']) await put(name);
    await chmod(join(folder, 'data/sub/.hidden'), 0o700);
    const files = await resolveFiles({ files: { 'in/': 'data' } }, folder);
    expect(files.map(({ path }) => path)).toEqual(['in/B', 'in/a', 'in/a.d/x', 'in/b', 'in/sub/.hidden']);
    expect(files.map(({ mode }) => mode)).toEqual([0o644, 0o644, 0o644, 0o644, 0o755]);
  });

  it('puts a single file into a folder that is asked for by "/"', async () => {
    await put('Si.UPF');
    expect(await resolve({ 'pseudo/': 'Si.UPF' })).toEqual([['pseudo/Si.UPF', 'Si.UPF']]);
    expect(await resolve({ pseudo: join(folder, 'Si.UPF') })).toEqual([['pseudo', 'Si.UPF']]);
  });

  it.each(['a b', "it's", '"q"', '$(reboot)', '`id`', 'two\nlines', 'größe', '-rf', '$HOME', '*', 'a\\b', '~x', '~'])(
    'takes a file %j as it is called',
    async (name) => {
      await put(`data/${name}`);
      expect(await resolve({ [name]: `data/${name}` })).toEqual([[name, `data/${name}`]]);
      expect(await resolve({ in: 'data' })).toEqual([[`in/${name}`, `data/${name}`]]);
    },
  );

  it('follows links inside the folder, and the entry itself', async () => {
    await put('data/a');
    await put('data/sub/b');
    await symlink('a', join(folder, 'data/link'));
    await symlink('sub', join(folder, 'data/folder'));
    await symlink('data', join(folder, 'entry'));
    expect((await resolve({ in: 'entry' })).map(([path]) => path)).toEqual([
      'in/a',
      'in/folder/b',
      'in/link',
      'in/sub/b',
    ]);
  });

  it.each([
    ['out of the folder', '../secret', 'is a link that leads out of the folder'],
    ['to a neighbour of similar name', '../data2', 'is a link that leads out of the folder'],
    ['to the folder itself', '.', 'is a link to a folder around it'],
    ['to nothing', 'nothing', 'is a link to nothing'],
    ['to itself', 'link', 'is a link that leads to itself'],
  ])('refuses a link %s', async (_, target, message) => {
    await put('secret');
    await put('data2/x');
    await put('data/x');
    await symlink(target, join(folder, 'data/link'));
    await expect(resolve({ in: 'data' })).rejects.toThrow(`files.in: "${join(folder, 'data/link')}" ${message}`);
  });

  it('refuses what is neither file nor folder, without waiting for it', async () => {
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await expect(resolve({ in: 'pipe' })).rejects.toThrow('is neither a file nor a folder');
  });

  it.skipIf(process.getuid?.() === 0)('refuses what cannot be read', async () => {
    await put('data/x');
    await chmod(join(folder, 'data/x'), 0);
    await expect(resolve({ in: 'data' })).rejects.toThrow('cannot be read');
  });

  it('refuses NUL in a local name', async () => {
    await expect(resolve({ in: 'a\0b' })).rejects.toThrow('files.in: a file name cannot hold a NUL character');
  });

  it('refuses a name that is not UTF-8', async () => {
    await mkdir(join(folder, 'data'));
    await writeFile(Buffer.concat([Buffer.from(join(folder, 'data/')), Buffer.from([0xe4])]), '');
    await expect(resolve({ in: 'data' })).rejects.toThrow('has a name that is not UTF-8');
  });

  it('refuses two files of one name, and a file that is a folder too', async () => {
    await put('data/x');
    await expect(resolve({ in: 'data', 'in/x': 'data/x' })).rejects.toThrow('"in/x" is given by files["in"] too');
    await expect(resolve({ a: 'data/x', 'a/b': 'data/x' })).rejects.toThrow(
      '"a" cannot be both a file and the folder of "a/b"',
    );
  });
});
