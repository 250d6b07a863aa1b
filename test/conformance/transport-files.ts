import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Connection, ErrorCode } from '../../src/plugin.js';
import { freshName, type OpenForTest, oddNames } from './transport.js';

const bounds = { timeout: 20_000 };

/** What the small file operations and `find` promise. */
export function fileConformance(open: OpenForTest): void {
  describe('files', () => {
    let connection: Connection;
    let root: string;
    /** A new directory for each test. */
    let place: string;
    beforeAll(async () => {
      ({ connection, root } = await open());
    });
    afterAll(() => connection.close());
    beforeEach(async () => {
      place = `${root}/${freshName()}`;
      await connection.makeDirectory(place, bounds);
    });

    const text = async (path: string) => (await connection.read(path, { ...bounds, maxBytes: 1000 })).toString();
    const shell = async (script: string) =>
      (await connection.exec(script, { ...bounds, directory: place })).stdout.trimEnd();
    const fails = (work: Promise<unknown>, code: ErrorCode) => expect(work).rejects.toMatchObject({ code });

    it.each(oddNames)('writes, reads, looks at, renames, copies, finds and removes %j', async (name) => {
      const path = `${place}/${name}`;
      await connection.write(path, 'content', bounds);
      expect(await text(path)).toBe('content');
      expect(await connection.stat(path, bounds)).toMatchObject({ path, type: 'file', size: 7 });
      await connection.copy(path, `${path}.copy`, bounds);
      await connection.rename(`${path}.copy`, `${path}.renamed`, bounds);
      await connection.changeMode(path, 0o600, bounds);
      await connection.symlink(name, `${path}.link`, bounds);
      const found = await connection.find(place, [name, `${name}.link`, `${name}.renamed`], bounds);
      expect(found.map((entry) => [entry.path, entry.type, entry.size]).sort()).toEqual(
        [name, `${name}.link`, `${name}.renamed`].sort().map((path) => [path, 'file', 7]),
      );
      await connection.remove(path, bounds);
      await fails(connection.stat(path, bounds), 'file-missing');
      expect((await connection.find(place, [''], bounds)).map((entry) => entry.path).sort()).toEqual(
        ['', `${name}.link`, `${name}.renamed`].sort(),
      );
    });

    it('keeps bytes as they are', async () => {
      const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
      await connection.write(`${place}/bytes`, bytes, bounds);
      expect(bytes.equals(await connection.read(`${place}/bytes`, { ...bounds, maxBytes: 70_000 }))).toBe(true);
      await connection.write(`${place}/empty`, '', bounds);
      expect(await text(`${place}/empty`)).toBe('');
    });

    it('overwrites whole files only, and leaves nothing beside them', async () => {
      await connection.write(`${place}/file`, 'old', bounds);
      await connection.write(`${place}/file`, 'new', bounds);
      expect(await text(`${place}/file`)).toBe('new');
      await connection.makeDirectory(`${place}/directory`, bounds);
      await fails(connection.write(`${place}/directory`, 'x', bounds), 'file-exists');
      await fails(connection.write(`${place}/missing/file`, 'x', bounds), 'file-missing');
      expect(await shell('ls -A')).toBe('directory\nfile');
    });

    it('reads no more than allowed, and only files', async () => {
      await connection.write(`${place}/file`, '12345', bounds);
      expect((await connection.read(`${place}/file`, { ...bounds, maxBytes: 5 })).toString()).toBe('12345');
      await fails(connection.read(`${place}/file`, { ...bounds, maxBytes: 4 }), 'output-too-large');
      await fails(connection.read(`${place}/missing`, { ...bounds, maxBytes: 4 }), 'file-missing');
      await shell('mkfifo pipe');
      await expect(connection.read(`${place}/pipe`, { ...bounds, maxBytes: 4 })).rejects.toThrow();
    });

    it('tells types, sizes, modes and times', async () => {
      await shell(
        'printf 12345 >file; chmod 750 file; touch -d @1700000000 file; mkdir -m 700 sub; mkfifo pipe; ln -s no broken',
      );
      expect(await connection.stat(`${place}/file`, bounds)).toEqual({
        path: `${place}/file`,
        type: 'file',
        size: 5,
        mode: 0o750,
        modifiedAt: 1_700_000_000_000,
      });
      expect(await connection.stat(`${place}/sub`, bounds)).toMatchObject({ type: 'directory', mode: 0o700 });
      expect((await connection.stat(`${place}/pipe`, bounds)).type).toBe('other');
      expect((await connection.stat(`${place}/broken`, bounds)).type).toBe('symlink');
      await fails(connection.stat(`${place}/missing`, bounds), 'file-missing');
      await fails(connection.stat(`${place}/file/below`, bounds), 'file-missing');
    });

    it('makes directories with their parents, again and again', async () => {
      await connection.makeDirectory(`${place}/a/b/c`, bounds);
      await connection.makeDirectory(`${place}/a/b/c`, bounds);
      expect(await shell('find . -type d | sort | tr "\\n" " "')).toBe('. ./a ./a/b ./a/b/c');
      await connection.write(`${place}/file`, '', bounds);
      await fails(connection.makeDirectory(`${place}/file`, bounds), 'file-exists');
    });

    it('renames and copies onto nothing that exists, not even a broken link or an empty directory', async () => {
      await shell('echo one >from; echo two >file; mkdir empty; ln -s nowhere broken');
      for (const target of ['file', 'empty', 'broken']) {
        await fails(connection.rename(`${place}/from`, `${place}/${target}`, bounds), 'file-exists');
        await fails(connection.copy(`${place}/from`, `${place}/${target}`, bounds), 'file-exists');
        await fails(connection.symlink('from', `${place}/${target}`, bounds), 'file-exists');
      }
      await fails(connection.rename(`${place}/missing`, `${place}/new`, bounds), 'file-missing');
      await fails(connection.copy(`${place}/missing`, `${place}/new`, bounds), 'file-missing');
      expect(await shell('cat from file; ls -A empty; ls -A | tr "\\n" " "')).toBe('one\ntwo\nbroken empty file from');
    });

    it('copies trees with their links and executable files', async () => {
      await shell('mkdir -p tree/sub; echo x >tree/sub/run; chmod 755 tree/sub/run; ln -s sub/run tree/link');
      await connection.copy(`${place}/tree`, `${place}/copy`, bounds);
      expect(await shell('readlink copy/link; cat copy/link; [ -x copy/sub/run ] && echo runs')).toBe(
        'sub/run\nx\nruns',
      );
    });

    it('removes trees but not what links in them point to, and what is not there', async () => {
      await shell('mkdir -p keep tree/sub; echo x >keep/file; ln -s ../../keep tree/sub/link; ln -s keep link');
      await connection.remove(`${place}/tree`, bounds);
      await connection.remove(`${place}/link`, bounds);
      await connection.remove(`${place}/never-there`, bounds);
      expect(await shell('ls -A; ls keep')).toBe('keep\nfile');
    });

    it.each(['/', '//', '/home', '/home/', 'relative/path', '', '/a/../b', '/a/./b', '/a/b/..', '/a/b\0c'])(
      'refuses to remove %j',
      async (path) => {
        await fails(connection.remove(path, bounds), 'unsafe-path');
      },
    );

    it('does nothing once it was stopped', async () => {
      const signal = AbortSignal.abort();
      await fails(connection.write(`${place}/file`, 'x', { ...bounds, signal }), 'aborted');
      expect(await shell('ls -A')).toBe('');
    });

    it('finds what is below roots, following only the roots', async () => {
      await shell(
        'mkdir -p tree/sub other; echo x >tree/sub/file; ln -s sub tree/link; ln -s tree root; echo y >other/no',
      );
      const found = await connection.find(place, ['root', 'missing', 'tree/sub/file/below'], bounds);
      expect(found.map((entry) => `${entry.type} ${entry.path}`).sort()).toEqual([
        'directory root',
        'directory root/sub',
        'file root/sub/file',
        'symlink root/link',
      ]);
    });

    it('lists what overlapping roots name once', async () => {
      await shell('mkdir a; echo x >a/b; ln -s b a/link');
      const found = await connection.find(place, ['', 'a', 'a/b', 'a/link'], bounds);
      const lines = found.map((entry) => `${entry.type} ${entry.path}`).sort();
      expect(lines).toEqual(['directory ', 'directory a', 'file a/b', 'file a/link']);
    });

    it('finds down to a depth and up to a number', async () => {
      await shell('mkdir -p a/b/c; touch a/1 a/b/2 a/b/c/3');
      const shallow = await connection.find(place, ['a'], { ...bounds, maxDepth: 1 });
      expect(shallow.map((entry) => entry.path).sort()).toEqual(['a', 'a/1', 'a/b']);
      expect(await connection.find(place, ['a'], { ...bounds, maxEntries: 6 })).toHaveLength(6);
      await fails(connection.find(place, ['a'], { ...bounds, maxEntries: 5 }), 'output-too-large');
    });

    it('finds nothing where nothing is asked or there', async () => {
      expect(await connection.find(place, [], bounds)).toEqual([]);
      expect(await connection.find(place, ['a', 'b\nc'], bounds)).toEqual([]);
      await fails(connection.find(`${place}/missing`, ['a'], bounds), 'file-missing');
    });

    it('takes thousands of roots', async () => {
      await shell(
        'seq 0 2999 | sed "s/^/a-rather-long-name-of-a-file-so-that-no-command-line-holds-them-all-/" | xargs touch',
      );
      const roots = Array.from(
        { length: 6000 },
        (_, index) => `a-rather-long-name-of-a-file-so-that-no-command-line-holds-them-all-${index}`,
      );
      expect(await connection.find(place, roots, bounds)).toHaveLength(3000);
    });

    it('leaves out names that are not UTF-8', async () => {
      await shell(String.raw`touch "$(printf 'bad\377')" good`);
      const found = await connection.find(place, [''], bounds);
      expect(found.map((entry) => entry.path).sort()).toEqual(['', 'good']);
    });

    it.each(['../up', '/etc', 'a/../b', 'a//b', './a', 'a/', 'nul\0'])('refuses the root %j', async (path) => {
      await fails(connection.find(place, [path], bounds), 'unsafe-path');
    });
  });
}
