import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { FileContent, FileData, FolderData, LocalFile, RemoteFolderData } from '../../../../src/process/data.js';
import { assembleInputs, checkInputs } from '../../../../src/process/inputs.js';
import { anyData, file, folder, namespace, remoteFolder } from '../../../../src/process/namespace.js';
import type { NewData } from '../../../../src/store/data.js';
import type { Repository } from '../../../../src/store/repository.js';
import { asStored, linked, mistakes, taking, temporaryFolder, temporaryRepository } from './spec-rig.js';

let here: string;
let repository: Repository;

beforeEach(async () => {
  here = await temporaryFolder();
  repository = await temporaryRepository();
  await writeFile(join(here, 'atoms.xyz'), 'H 0 0 0\n');
});

const atoms = () => new LocalFile(join(here, 'atoms.xyz'));

async function seenWithFiles(inputs: z.ZodObject, given: unknown) {
  const spec = taking(inputs);
  return assembleInputs(spec, linked(await checkInputs(spec, given, repository), repository));
}

describe('a file', () => {
  it('goes into the repository, and is seen as a file with its content', async () => {
    const { values } = await seenWithFiles(z.object({ f: file() }), { f: atoms() });
    expect(values.f).toBeInstanceOf(FileData);
    expect(values.f.name).toBe('atoms.xyz');
    expect(values.f.file).toMatchObject({ path: 'atoms.xyz', size: 8, mode: 0o644 });
    expect(await values.f.text()).toBe('H 0 0 0\n');
    await writeFile(join(here, 'atoms.xyz'), 'changed later');
    expect(await values.f.text()).toBe('H 0 0 0\n');
  });

  it('may be made of text or bytes', async () => {
    const bytes = Uint8Array.of(0, 255);
    const given = {
      text: new FileContent('é.txt', 'é'),
      bytes: new FileContent('x', bytes),
      any: new FileContent('y', ''),
    };
    bytes[0] = 1;
    const inputs = z.object({ text: file(), bytes: file().refine(({ name }) => name === 'x'), any: anyData() });
    const { values } = await seenWithFiles(inputs, given);
    expect(values.text.file).toMatchObject({ path: 'é.txt', size: 2, mode: 0o644, sha256: given.text.sha256 });
    expect(await values.text.text()).toBe('é');
    expect([...(await values.bytes.bytes())]).toEqual([0, 255]);
    expect(values.any).toBeInstanceOf(FileData);
    expect(
      await mistakes(
        z.object({ a: file(), b: folder(), c: z.any() }),
        { a: new FileContent('a/b', ''), b: given.text, c: given.text },
        repository,
      ),
    ).toEqual({
      a: '"a/b": "a/b" cannot be the name of a file',
      b: 'must be a folder, not a file; give new LocalFile(path)',
      c: 'is a file, where a value is asked for',
    });
  });

  it('may be given another name, and keeps that it is executable', async () => {
    await chmod(join(here, 'atoms.xyz'), 0o755);
    const { values } = await seenWithFiles(z.object({ f: file() }), { f: new LocalFile(atoms().path, 'input.xyz') });
    expect(values.f.file).toMatchObject({ path: 'input.xyz', mode: 0o755 });
  });

  it('that is stored keeps its identity', async () => {
    const first = await seenWithFiles(z.object({ f: file() }), { f: atoms() });
    const [leaf] = await checkInputs(taking(z.object({ g: file() })), { g: first.values.f }, repository);
    expect(leaf).toEqual({ label: 'g', data: first.values.f });
    expect(leaf?.data).toBe(first.values.f);
  });

  it('is checked with its content before it is stored', async () => {
    const hydrogen = file()
      .refine(({ name }) => name.endsWith('.xyz'), 'must be an .xyz file')
      .refine(async (given) => (await given.text()).startsWith('H '), 'must begin with hydrogen');
    const inputs = z.object({ f: hydrogen, g: hydrogen.optional() });
    expect(await mistakes(inputs, { f: atoms() }, repository)).toEqual({});
    await writeFile(join(here, 'helium.txt'), 'He');
    const wrong = await mistakes(inputs, { f: new LocalFile(join(here, 'helium.txt')), g: atoms() }, repository);
    expect(wrong).toEqual({ f: 'must begin with hydrogen' });
  });

  it('may be the default', async () => {
    const inputs = z.object({ f: file().prefault(() => atoms()) });
    const { values } = await seenWithFiles(inputs, {});
    expect(await values.f.text()).toBe('H 0 0 0\n');
  });

  it('stands in namespaces, also under names that nobody knew', async () => {
    const inputs = z.object({ pseudos: namespace({}, { dynamic: file() }) });
    const { values, data } = await seenWithFiles(inputs, { pseudos: { H: atoms(), He: atoms() } });
    expect(await values.pseudos.He.text()).toBe('H 0 0 0\n');
    expect(data.pseudos.H).toBe(values.pseudos.H);
    expect(Object.isFrozen(values.pseudos)).toBe(true);
  });

  it('is refused with its path where it is none', async () => {
    const inputs = z.object({ a: file(), b: file(), c: file(), d: file(), e: file(), f: file(), g: file() });
    await mkdir(join(here, 'folder'));
    const given = {
      a: atoms().path,
      b: 5,
      c: new LocalFile(join(here, 'missing')),
      d: new LocalFile(join(here, 'folder')),
      e: asStored({ type: 'value', content: 1 }),
      f: new LocalFile(atoms().path, '../x'),
      g: [],
    };
    expect(await mistakes(inputs, given, repository)).toEqual({
      a: 'must be a file, not text; give new LocalFile(path)',
      b: 'must be a file, not a value; give new LocalFile(path)',
      c: `${JSON.stringify(join(here, 'missing'))}: no such file or folder`,
      d: `${JSON.stringify(join(here, 'folder'))}: is a folder, must be a file`,
      e: 'must be a file, not a value; give new LocalFile(path)',
      f: `${JSON.stringify(atoms().path)}: "../x" cannot be the name of a file`,
      g: 'must be a file, not a value; give new LocalFile(path)',
    });
  });
});

describe('a folder', () => {
  it('has all files below it', async () => {
    await mkdir(join(here, 'tree/deep'), { recursive: true });
    await writeFile(join(here, 'tree/one'), '1');
    await writeFile(join(here, 'tree/deep/two'), '22');
    const { values } = await seenWithFiles(z.object({ f: folder() }), { f: new LocalFile(join(here, 'tree')) });
    expect(values.f).toBeInstanceOf(FolderData);
    expect(values.f.files.map(({ path }: { path: string }) => path)).toEqual(['deep/two', 'one']);
    expect(await values.f.text('deep/two')).toBe('22');
    expect(values.f.has('three')).toBe(false);
    await expect(values.f.text('three')).rejects.toMatchObject({ code: 'file-missing' });
  });

  it('may be empty', async () => {
    await mkdir(join(here, 'empty'));
    const { values } = await seenWithFiles(z.object({ f: folder() }), { f: new LocalFile(join(here, 'empty')) });
    expect(values.f.files).toEqual([]);
  });

  it('is equal to one with the same files, wherever it came from', async () => {
    for (const name of ['x', 'y']) {
      await mkdir(join(here, name));
      await writeFile(join(here, name, 'one'), '1');
    }
    const inputs = z.object({ a: folder(), b: folder() });
    const given = { a: new LocalFile(join(here, 'x')), b: new LocalFile(join(here, 'y')) };
    const { values } = await seenWithFiles(inputs, given);
    expect(values.a.hash).toBe(values.b.hash);
  });

  it('is refused where it is a file, or leads out of itself', async () => {
    await mkdir(join(here, 'tree'));
    await symlink('/etc/passwd', join(here, 'tree/link'));
    const inputs = z.object({ a: folder(), b: folder() });
    const wrong = await mistakes(inputs, { a: atoms(), b: new LocalFile(join(here, 'tree')) }, repository);
    expect(wrong.a).toContain('must be a folder');
    expect(wrong.b).toContain('leads out of the folder');
  });
});

describe('a folder on a computer', () => {
  const inputs = z.object({ r: remoteFolder() });

  it('is named by the computer and an absolute path', async () => {
    const { values } = await seenWithFiles(inputs, { r: { computer: 'daint', path: '/scratch/me' } });
    expect(values.r).toBeInstanceOf(RemoteFolderData);
    expect(values.r.value).toEqual({ computer: 'daint', path: '/scratch/me' });
  });

  it('keeps its identity when it is stored', async () => {
    const stored = asStored({ type: 'remote-folder', content: { computer: 'daint', path: '/x' } });
    const [leaf] = await checkInputs(taking(inputs), { r: stored }, repository);
    expect(leaf?.data).toBe(stored);
  });

  it.each([
    { computer: 'daint', path: 'relative' },
    { computer: '', path: '/x' },
    { path: '/x' },
    { computer: 'daint', path: '/x\0' },
    { computer: 'daint', path: '/x', more: 1 },
    '/x',
    7,
  ])('cannot be %j', async (given) => {
    expect(await mistakes(inputs, { r: given })).toEqual({
      r: 'must be a folder on a computer: {computer, path}, the path being absolute',
    });
  });
});

describe('data of any kind', () => {
  const inputs = z.object({
    any: namespace({}, { dynamic: anyData() }),
    checked: anyData().refine((one) => one !== 1),
  });

  it('is a value, a file, a folder or a directory on a computer', async () => {
    const remote = asStored({ type: 'remote-folder', content: { computer: 'c', path: '/' } });
    const given = { value: { a: 1 }, nothing: null, file: atoms(), folder: new LocalFile(here), remote };
    const { values } = await seenWithFiles(inputs, { any: given, checked: 2 });
    expect(values.any).toMatchObject({ value: { a: 1 }, nothing: null, remote });
    expect(values.any.file).toBeInstanceOf(FileData);
    expect(values.any.folder.has('atoms.xyz')).toBe(true);
  });

  it('is refused where it is none, or is not there', async () => {
    const given = { any: { bad: () => 1, gone: new LocalFile('/nowhere/at/all') }, checked: 1 };
    expect(await mistakes(inputs, given, repository)).toEqual({
      'any.bad': 'is a function, which is no JSON',
      'any.gone': '"/nowhere/at/all": no such file or folder',
      checked: 'Invalid input',
    });
    expect(await mistakes(inputs, {}, repository)).toEqual({ checked: 'is missing' });
  });
});

it('data of one kind is not taken for another', async () => {
  const remote: NewData = { type: 'remote-folder', content: { computer: 'c', path: '/' } };
  const folderData: NewData = { type: 'folder', content: {}, files: [] };
  const inputs = z.object({ a: z.any(), b: file(), c: folder(), d: remoteFolder() });
  const given = { a: asStored(remote), b: asStored(folderData), c: asStored(remote), d: asStored(folderData) };
  expect(await mistakes(inputs, given)).toEqual({
    a: 'must be a value, not a folder on a computer',
    b: 'must be a file, not a folder; give new LocalFile(path)',
    c: 'must be a folder, not a folder on a computer; give new LocalFile(path)',
    d: 'must be a folder on a computer, not a folder',
  });
});
