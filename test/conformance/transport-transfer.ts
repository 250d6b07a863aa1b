import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Connection, ErrorCode, RemoteEntry, TreeEntry } from '../../src/plugin.js';
import { freshName, type OpenForTest, oddNames } from './transport.js';

const bounds = { timeout: 20_000 };
type FileEntry = Extract<TreeEntry, { type: 'file' }>;

function fileEntry(path: string, content: string | Buffer, mode?: number): FileEntry {
  const bytes = Buffer.from(content);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { type: 'file', path, size: bytes.length, sha256, content: bytes, ...(mode !== undefined && { mode }) };
}

/** What `upload` and `download` promise. */
export function transferConformance(open: OpenForTest): void {
  describe('transfers', () => {
    let connection: Connection;
    let root: string;
    let local: string;
    /** On the computer, not yet existing; a new one for each test. */
    let place: string;
    /** An empty local directory for each test. */
    let target: string;
    beforeAll(async () => {
      ({ connection, root } = await open());
      local = await mkdtemp(join(tmpdir(), 'wherry-transfer-'));
    });
    afterAll(async () => {
      await connection.close();
      await rm(local, { recursive: true });
    });
    beforeEach(async () => {
      place = `${root}/${freshName()}/job`;
      target = await mkdtemp(join(local, 'target-'));
    });

    const shell = async (script: string, directory = root) =>
      (await connection.exec(`(${script}) 2>&1`, { ...bounds, directory })).stdout.trimEnd();
    const fails = (work: Promise<unknown>, code: ErrorCode, transient = false) =>
      expect(work).rejects.toMatchObject({ code, transient });
    const isAbsent = async (path: string) => fails(connection.stat(path, bounds), 'file-missing');
    const filesBelow = async (directory: string) =>
      (await connection.find(directory, [''], bounds)).filter((entry) => entry.type === 'file');
    const onDisk = async (path: string, bytes: Buffer): Promise<FileEntry> => {
      const file = join(local, freshName());
      await writeFile(file, bytes);
      return { ...fileEntry(path, bytes), content: { file } };
    };

    it('brings trees there and back byte for byte', async () => {
      const long = 'n'.repeat(200);
      const deep = Array.from({ length: 30 }, (_, index) => `directory-${index}`).join('/');
      const tree: FileEntry[] = [
        fileEntry('empty', ''),
        fileEntry('block', Buffer.alloc(512, 'b')),
        fileEntry('bytes', randomBytes(100_001)),
        fileEntry(long, 'long name'),
        fileEntry(`${long}/${long}/${long}-below`.replace(long, 'l'.repeat(255)), 'longer'),
        fileEntry(`${deep}/deep`, 'deep'),
        fileEntry(`${'ä'.repeat(60)}/${'世'.repeat(60)}`, 'long and not ASCII'),
        await onDisk('from-disk', randomBytes(10_000)),
        await onDisk('large-from-disk', randomBytes(6_000_000)),
        await onDisk('sub/empty-from-disk', Buffer.alloc(0)),
        ...oddNames.map((name) => fileEntry(`odd/${name}/${name}`, name)),
        ...Array.from({ length: 200 }, (_, index) => fileEntry(`many/${index}`, randomBytes(index * 20))),
      ];
      await connection.upload(tree, place, bounds);
      const files = await filesBelow(place);
      expect(files.map((file) => file.path).sort()).toEqual(tree.map((file) => file.path).sort());
      await connection.download(place, files, target, bounds);
      for (const { path, size, sha256 } of tree) {
        const bytes = await readFile(join(target, path));
        expect([path, bytes.length, createHash('sha256').update(bytes).digest('hex')]).toEqual([path, size, sha256]);
      }
      expect(await shell('ls -A', `${place}/..`)).toBe('job');
    });

    it('brings executable files, empty directories and links as they are', async () => {
      const tree: TreeEntry[] = [
        fileEntry('run', '#!/bin/sh\necho runs\n', 0o755),
        fileEntry('secret', 'x', 0o600),
        { type: 'directory', path: 'empty' },
        { type: 'directory', path: 'new\nline/-rf' },
        { type: 'symlink', path: 'link', target: 'run' },
        { type: 'symlink', path: 'broken', target: `${'far/'.repeat(40)}a\nway` },
      ];
      await connection.upload(tree, place, bounds);
      expect(await shell('./run; ./link; stat -c %a run secret; rmdir empty && echo was empty', place)).toBe(
        'runs\nruns\n755\n600\nwas empty',
      );
      expect(await shell('readlink broken', place)).toBe(`${'far/'.repeat(40)}a\nway`);
      expect((await connection.stat(`${place}/new\nline/-rf`, bounds)).type).toBe('directory');
    });

    it('lets new directories inherit their group', async () => {
      const parent = place.slice(0, place.lastIndexOf('/'));
      await connection.makeDirectory(parent, bounds);
      await connection.changeMode(parent, 0o2755, bounds);
      const tree: TreeEntry[] = [fileEntry('a/file', 'x'), { type: 'directory', path: 'empty/below' }];
      await connection.upload(tree, place, bounds);
      expect(await shell('stat -c %A . a empty empty/below | cut -c 7 | tr -d "\\n"', place)).toBe('ssss');
    });

    it('sends an empty tree', async () => {
      await connection.upload([], place, bounds);
      expect(await connection.find(place, [''], bounds)).toMatchObject([{ path: '', type: 'directory' }]);
    });

    it('refuses an existing directory and leaves it as it was', async () => {
      await connection.makeDirectory(place, bounds);
      await fails(connection.upload([fileEntry('a', 'new')], place, bounds), 'file-exists');
      await connection.write(`${place}/a`, 'old', bounds);
      await fails(connection.upload([fileEntry('a', 'new')], place, bounds), 'file-exists');
      await shell('ln -s nowhere ../link', place);
      await fails(connection.upload([], `${place.slice(0, -3)}link`, bounds), 'file-exists');
      expect(await shell('cat a; echo; ls -A . ..', place)).toBe('old\n.:\na\n\n..:\njob\nlink');
    });

    it('sends again after an interruption, and shows nothing before', async () => {
      const controller = new AbortController();
      const tree = [fileEntry('a', 'x'), await onDisk('large', randomBytes(8_000_000))];
      const onProgress = (bytes: number) => bytes > 1_000_000 && controller.abort();
      const interrupted = connection.upload(tree, place, { ...bounds, signal: controller.signal, onProgress });
      await fails(interrupted, 'aborted');
      await isAbsent(place);
      await connection.upload(tree, place, bounds);
      expect((await connection.stat(`${place}/large`, bounds)).size).toBe(8_000_000);
      expect(await shell('ls -A ..', place)).toBe('job');
    });

    it('clears away what an earlier attempt left', async () => {
      await shell(`mkdir -p ${place}.part/tree/old ${place}.part/old`);
      await connection.upload([fileEntry('a', 'x')], place, bounds);
      expect(await shell('ls -A . ..', place)).toBe('.:\na\n\n..:\njob');
    });

    it.each(['plain', 'new\nline', 'back\\slash'])(
      'refuses a file %j that arrives with another content',
      async (path) => {
        const wrong = { ...fileEntry(path, 'expected'), content: Buffer.from('unwanted') };
        await fails(connection.upload([fileEntry('a', 'x'), wrong], place, bounds), 'transfer-incomplete', true);
        await isAbsent(place);
      },
    );

    it.each([10, 3_000_000])('notices that a local file of %i bytes has changed or gone', async (size) => {
      const entry = await onDisk('file', randomBytes(size));
      const { file } = entry.content as { file: string };
      await truncate(file, size + 1);
      await fails(connection.upload([entry], place, bounds), 'bad-input');
      await truncate(file, size - 1);
      await fails(connection.upload([entry], place, bounds), 'bad-input');
      await rm(file);
      await fails(connection.upload([entry], place, bounds), 'file-missing');
      await isAbsent(place);
    });

    it('says when it may not write', async () => {
      await shell(`mkdir -p ${place}; chmod 555 ${place}`);
      // The superuser may write everywhere but here.
      const forbidden = connection.user === 'root' ? '/proc/wherry/job' : `${place}/below/job`;
      await expect(connection.upload([fileEntry('a', 'x')], forbidden, bounds)).rejects.toMatchObject({
        code: connection.user === 'root' ? 'file-missing' : 'permission-denied',
      });
    });

    it.each(['../up', '/etc/x', 'a/../b', './a', 'a//b', 'a/', '', '.', 'nul\0', 'half\ud800'])(
      'refuses to send %j',
      async (path) => {
        await fails(connection.upload([{ ...fileEntry('a', 'x'), path }], place, bounds), 'unsafe-path');
        await isAbsent(place);
      },
    );

    it('refuses to send through a link or twice', async () => {
      const link: TreeEntry = { type: 'symlink', path: 'link', target: '/tmp' };
      await fails(connection.upload([fileEntry('link/x', 'x'), link], place, bounds), 'unsafe-path');
      await fails(connection.upload([fileEntry('a', 'x'), fileEntry('a', 'x')], place, bounds), 'unsafe-path');
      await fails(connection.upload([], '/', bounds), 'unsafe-path');
      await isAbsent(place);
    });

    it('counts progress and keeps to the bound', async () => {
      const tree = [await onDisk('large', randomBytes(3_000_000)), fileEntry('small', 'x')];
      let sent = 0;
      const onProgress = (bytes: number) => {
        sent = bytes;
      };
      await connection.upload(tree, place, { ...bounds, onProgress, maxBytes: 3_000_001 });
      expect(sent).toBe(3_000_001);
      await fails(connection.upload(tree, `${place}2`, { ...bounds, maxBytes: 3_000_000 }), 'output-too-large');
      await isAbsent(`${place}2`);
      const files = await filesBelow(place);
      await connection.download(place, files, target, { ...bounds, onProgress, maxBytes: 3_000_001 });
      expect(sent).toBe(3_000_001);
      await fails(connection.download(place, files, target, { ...bounds, maxBytes: 3_000_000 }), 'output-too-large');
    });

    it('fetches exactly what is asked', async () => {
      await connection.upload([fileEntry('a', '1'), fileEntry('b/c', '2'), fileEntry('d', '3')], place, bounds);
      const files = (await filesBelow(place)).filter((file) => file.path !== 'd');
      await connection.download(place, files, target, bounds);
      expect((await readdir(target, { recursive: true })).sort()).toEqual(['a', 'b', 'b/c']);
      await connection.download(place, [], target, bounds);
    });

    it('follows a link that is asked for, and makes files of hard links', async () => {
      await shell(`mkdir -p ${place}; cd ${place}; echo content >a; ln a b; ln -s a link; mkdir sub; ln a sub/c`);
      const files = await connection.find(place, ['a', 'b', 'link', 'sub/c'], bounds);
      await connection.download(place, files, target, bounds);
      for (const path of ['a', 'b', 'link', 'sub/c']) {
        expect(await readFile(join(target, path), 'utf8')).toBe('content\n');
        expect((await stat(join(target, path))).nlink).toBe(1);
      }
    });

    it('notices that a file has changed its size or gone since it was listed', async () => {
      await connection.upload([fileEntry('a', '12345'), fileEntry('b', 'x')], place, bounds);
      const files = await filesBelow(place);
      await shell('echo more >>a', place);
      await fails(connection.download(place, files, target, bounds), 'transfer-incomplete', true);
      await shell('printf 1 >a', place);
      await fails(connection.download(place, files, target, bounds), 'transfer-incomplete', true);
      await shell('rm a', place);
      await fails(connection.download(place, files, target, bounds), 'transfer-incomplete', true);
      await shell('mkdir a', place);
      await expect(connection.download(place, files, target, bounds)).rejects.toThrow();
      await fails(connection.download(`${place}-missing`, files, target, bounds), 'transfer-incomplete', true);
    });

    it.each(['../up', '/etc/passwd', 'a/../../b', ''])('refuses to fetch %j', async (path) => {
      const file: RemoteEntry = { path, type: 'file', size: 1, mode: 0o644, modifiedAt: 0 };
      await fails(connection.download(root, [file], target, bounds), 'unsafe-path');
    });

    it('writes through no link that stands in the local directory', async () => {
      await connection.upload([fileEntry('link/file', 'x')], place, bounds);
      await mkdir(join(local, 'outside'), { recursive: true });
      await symlink(join(local, 'outside'), join(target, 'link'));
      await fails(connection.download(place, await filesBelow(place), target, bounds), 'unsafe-path');
      expect(await readdir(join(local, 'outside'))).toEqual([]);
    });

    it('says when it may not write locally', async () => {
      await connection.upload([fileEntry('a', 'x')], place, bounds);
      const files = await filesBelow(place);
      await fails(connection.download(place, files, join(target, 'missing'), bounds), 'file-missing');
    });

    it('stops a download on request', async () => {
      await connection.upload([await onDisk('large', randomBytes(8_000_000))], place, bounds);
      const controller = new AbortController();
      const onProgress = () => controller.abort();
      const files = await filesBelow(place);
      await fails(
        connection.download(place, files, target, { ...bounds, signal: controller.signal, onProgress }),
        'aborted',
      );
    });
  });
}
