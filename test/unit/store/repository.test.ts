import { createHash } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Repository } from '../../../src/store/repository.js';
import { type TemporaryStore, temporaryStore } from './temporary-store.js';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('the repository', () => {
  let rig: TemporaryStore;
  let repository: Repository;
  let root: string;

  beforeEach(async () => {
    rig = await temporaryStore();
    root = path.join(rig.directory, 'files');
    repository = new Repository(root);
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  const below = async (folder: string) =>
    (await readdir(path.join(root, folder), { recursive: true, withFileTypes: true }).catch(() => []))
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name);
  const leftovers = () => readdir(path.join(root, 'temporary'));

  it.each(['', 'a', 'hello\n', '\0\xff'])('gives back %j as it was put, named by its hash', async (text) => {
    const content = await repository.put(Buffer.from(text));
    expect(content).toEqual({ sha256: sha256(text), size: Buffer.byteLength(text) });
    expect((await repository.read(content.sha256)).toString()).toBe(text);
    expect(await leftovers()).toEqual([]);
  });

  it('stores identical content once, whichever way it came', async () => {
    const file = path.join(rig.directory, 'input');
    await writeFile(file, 'same');
    const { sha256: hash } = await repository.put(Buffer.from('same'));
    const before = await stat(await repository.locate(hash));
    expect(await repository.putFile(file)).toEqual({ sha256: hash, size: 4 });
    await using folder = await repository.temporaryDirectory();
    await writeFile(path.join(folder.path, 'out'), 'same');
    expect(await repository.adopt(path.join(folder.path, 'out'))).toEqual({ sha256: hash, size: 4 });
    expect(await readdir(folder.path)).toEqual([]);
    expect(await below('objects')).toHaveLength(1);
    expect((await stat(await repository.locate(hash))).ino).toBe(before.ino);
  });

  it('takes the same content from many at once', async () => {
    const file = path.join(rig.directory, 'input');
    await writeFile(file, 'crowd');
    const contents = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0 ? repository.put(Buffer.from('crowd')) : new Repository(root).putFile(file),
      ),
    );
    expect(new Set(contents.map((content) => content.sha256))).toEqual(new Set([sha256('crowd')]));
    expect((await repository.read(sha256('crowd'))).toString()).toBe('crowd');
    expect(await below('objects')).toHaveLength(1);
    expect(await leftovers()).toEqual([]);
  });

  it('leaves the file that it copies', async () => {
    const file = path.join(rig.directory, 'input');
    await writeFile(file, 'mine');
    await repository.putFile(file);
    expect(await readFile(file, 'utf8')).toBe('mine');
  });

  it('keeps a copy, not the file: a later change of the file changes nothing', async () => {
    const file = path.join(rig.directory, 'input');
    await writeFile(file, 'before');
    const { sha256: hash } = await repository.putFile(file);
    await writeFile(file, 'after');
    expect((await repository.read(hash)).toString()).toBe('before');
  });

  it('keeps content from other users, whatever the rights of its source', async () => {
    const file = path.join(rig.directory, 'input');
    await writeFile(file, 'open', { mode: 0o777 });
    const { sha256: hash } = await repository.putFile(file);
    expect((await stat(await repository.locate(hash))).mode & 0o777).toBe(0o600);
  });

  it('takes a file that may only be read, as a user without special rights', async () => {
    const folder = path.join(rig.directory, 'nobody');
    await mkdir(folder);
    const file = path.join(folder, 'input');
    await writeFile(file, 'read only');
    await chmod(file, 0o444);
    const root = process.geteuid?.() === 0;
    if (root) {
      await chmod(rig.directory, 0o711);
      await chown(folder, 65_534, 65_534);
      await chown(file, 65_534, 65_534);
      process.seteuid?.(65_534);
    }
    try {
      const own = new Repository(path.join(folder, 'repository'));
      expect(await own.putFile(file)).toEqual({ sha256: sha256('read only'), size: 9 });
    } finally {
      if (root) process.seteuid?.(0);
    }
  });

  it('is not disturbed by what a crash left, neither temporary files nor empty folders', async () => {
    const hash = sha256('later');
    await mkdir(path.join(root, 'objects', hash.slice(0, 2)), { recursive: true });
    await mkdir(path.join(root, 'temporary', 'half-a-folder'), { recursive: true });
    await writeFile(path.join(root, 'temporary', 'half-a-file'), 'lat');
    await expect(repository.locate(hash)).rejects.toMatchObject({ code: 'not-found' });
    await repository.put(Buffer.from('later'));
    expect((await repository.read(hash)).toString()).toBe('later');
  });

  it('tells which content it does not have', async () => {
    const missing = expect.stringContaining(sha256('none'));
    await expect(repository.locate(sha256('none'))).rejects.toMatchObject({ code: 'not-found', message: missing });
    await expect(repository.read(sha256('none'))).rejects.toMatchObject({ code: 'not-found' });
  });

  it('never reaches out of its folder by a word that is no hash', async () => {
    await mkdir(path.join(root, 'objects'), { recursive: true });
    await writeFile(path.join(root, 'outside'), 'x');
    for (const word of ['', '../outside', '..outside', 'A'.repeat(64), `${'a'.repeat(63)}/`])
      await expect(repository.read(word)).rejects.toMatchObject({ name: 'WherryError' });
  });

  it('leaves nothing behind when the file to copy does not exist', async () => {
    await expect(repository.putFile(path.join(rig.directory, 'none'))).rejects.toThrow('ENOENT');
    expect(await leftovers()).toEqual([]);
    expect(await below('objects')).toEqual([]);
  });

  it('removes a temporary directory with all that is left in it', async () => {
    {
      await using folder = await repository.temporaryDirectory();
      await mkdir(path.join(folder.path, 'a/b'), { recursive: true });
      await writeFile(path.join(folder.path, 'a/b/c'), 'x');
    }
    expect(await leftovers()).toEqual([]);
  });
});
