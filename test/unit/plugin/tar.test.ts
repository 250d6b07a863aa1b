import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack as tarPack } from 'tar-stream';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { Extractor } from '../../../src/plugin/extract.js';
import { type PackedEntry, packTree } from '../../../src/plugin/pack.js';
import { tarHeader } from '../../../src/plugin/tar.js';
import type { RemoteEntry } from '../../../src/plugin.js';

const folders: string[] = [];
let folder: string;
let outside: string;

beforeEach(async () => {
  const top = await mkdtemp(join(tmpdir(), 'wherry-tar-'));
  folders.push(top);
  folder = await mkdtemp(join(top, 'inside-'));
  outside = join(top, 'outside');
  await writeFile(outside, 'safe');
});

afterAll(async () => {
  for (const path of folders) await rm(path, { recursive: true, force: true });
});

const ignore = { onBytes: () => undefined, onEnd: () => undefined, onFailure: () => undefined };
const memory = (path: string, text: string): PackedEntry => {
  const content = Buffer.from(text);
  return { type: 'file', path, size: content.length, content };
};
const asked = (path: string, size: number): RemoteEntry => ({ path, type: 'file', size, mode: 0o644, modifiedAt: 0 });

/** Feeds a stream to an extractor in pieces of `step` bytes. */
async function extract(files: RemoteEntry[], archive: Buffer, step = 1000): Promise<void> {
  const extractor = new Extractor(files, folder, () => undefined);
  try {
    for (let at = 0; at < archive.length; at += step) await extractor.write(archive.subarray(at, at + step));
    await extractor.end();
  } catch (error) {
    await extractor.abandon();
    throw error;
  }
}

type Member = Parameters<ReturnType<typeof tarPack>['entry']>[0];
async function archiveOf(...members: readonly (readonly [Member, string?])[]): Promise<Buffer> {
  const pack = tarPack();
  for (const [header, content = ''] of members) pack.entry(header, content);
  pack.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of pack) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

describe('a packed tree', () => {
  it('is read by tar, names and all', async () => {
    const names = ['plain', 'new\nline', 'ü'.repeat(90), 'x'.repeat(100), 'x'.repeat(101), `${'d/'.repeat(300)}end`];
    const archive = await buffer(packTree([...names.map((name) => memory(name, name)), memory('empty', '')], ignore));
    expect(archive.length % 10_240).toBe(0);
    execFileSync('tar', ['-xf', '-', '-C', folder], { input: archive });
    for (const name of names) expect(await readFile(join(folder, name), 'utf8')).toBe(name);
    expect(await readFile(join(folder, 'empty'), 'utf8')).toBe('');
  });

  it('comes through our own extractor, however it is cut into pieces', async () => {
    const entries = [memory('a', 'x'.repeat(3000)), memory('b/c', ''), memory('ü'.repeat(60), 'long name')];
    const archive = await buffer(packTree(entries, ignore));
    for (const step of [1, 511, 512, 513, 100_000]) {
      await extract([asked('a', 3000), asked('b/c', 0), asked('ü'.repeat(60), 9)], archive, step);
      expect(await readFile(join(folder, 'ü'.repeat(60)), 'utf8')).toBe('long name');
      await rm(folder, { recursive: true });
      folder = await mkdtemp(join(tmpdir(), 'wherry-tar-'));
      folders.push(folder);
    }
  });

  it('writes sizes beyond 8 GiB', () => {
    const header = tarHeader({ type: 'file', name: 'huge', size: 2 ** 40 + 5, mode: 0o644 });
    // It ends badly, since the content is missing, but lists the entry before.
    const listing = spawnSync('tar', ['-tvf', '-'], { input: header, encoding: 'utf8' }).stdout;
    expect(listing).toContain(String(2 ** 40 + 5));
  });

  it('reads no more than a few megabytes ahead', async () => {
    const files = Array.from({ length: 40 }, (_, index) => join(folder, String(index)));
    for (const file of files) await writeFile(file, Buffer.alloc(500_000));
    const entries = files.map(
      (file, index): PackedEntry => ({ type: 'file', path: `${index}`, size: 500_000, content: { file } }),
    );
    let taken = 0;
    const onBytes = (_entry: PackedEntry, bytes: number) => {
      taken += bytes;
    };
    const stream = packTree(entries, { ...ignore, onBytes });
    stream.read(1);
    await new Promise((resolve) => stream.once('readable', resolve));
    expect(taken).toBeLessThan(4 * 2 ** 20);
    stream.destroy();
  });
});

describe('a packed tree that nobody reads to the end', () => {
  it.each([undefined, new Error('the reader has gone')])('ends without a failure of its own (%s)', async (reason) => {
    const failures: unknown[] = [];
    const entries = Array.from({ length: 50 }, (_, index) => memory(`${index}`, 'x'.repeat(100_000)));
    const stream = packTree(entries, { ...ignore, onFailure: (error) => failures.push(error) });
    stream.on('error', () => undefined);
    await new Promise((resolve) => stream.once('readable', resolve));
    const closed = new Promise((resolve) => stream.once('close', resolve));
    stream.destroy(reason);
    await closed;
    expect(failures).toEqual([]);
  });
});

describe('a hostile stream', () => {
  const refusals: [string, readonly (readonly [Member, string?])[]][] = [
    ['leads up', [[{ name: '../outside' }, 'evil']]],
    ['is absolute', [[{ name: '/etc/wherry-test' }, 'evil']]],
    ['was not asked for', [[{ name: 'b' }, 'evil']]],
    [
      'comes twice',
      [
        [{ name: 'a' }, 'good'],
        [{ name: 'a' }, 'evil'],
      ],
    ],
    [
      'comes twice under two names',
      [
        [{ name: 'a' }, 'good'],
        [{ name: './a' }, 'evil'],
      ],
    ],
    ['is a link', [[{ name: 'a', type: 'symlink', linkname: '../outside' }]]],
    ['is a hard link to outside', [[{ name: 'a', type: 'link', linkname: '../outside' }]]],
    ['is a hard link to itself', [[{ name: 'a', type: 'link', linkname: 'a' }]]],
    ['is a directory', [[{ name: 'a', type: 'directory' }]]],
    ['is a pipe', [[{ name: 'a', type: 'fifo' }]]],
    ['is a device', [[{ name: 'a', type: 'character-device' }]]],
  ];

  it.each(refusals)('is refused when an entry %s', async (_what, members) => {
    const archive = await archiveOf(...members);
    await expect(extract([asked('a', 4)], archive)).rejects.toMatchObject({ code: 'unsafe-path', transient: false });
    expect(await readFile(outside, 'utf8')).toBe('safe');
    expect((await readdir(folder)).filter((name) => name !== 'a')).toEqual([]);
  });

  it('is incomplete when a size differs, a file is missing or it is cut', async () => {
    const incomplete = { code: 'transfer-incomplete', transient: true };
    const archive = await archiveOf([{ name: 'a' }, 'good']);
    await expect(extract([asked('a', 5)], archive)).rejects.toMatchObject(incomplete);
    await expect(extract([asked('a', 4), asked('b', 1)], archive)).rejects.toMatchObject(incomplete);
    for (const length of [0, 100, 513, 515]) {
      await expect(extract([asked('a', 4)], archive.subarray(0, length))).rejects.toMatchObject(incomplete);
    }
    await expect(extract([asked('a', 4)], Buffer.from('x'.repeat(5000)))).rejects.toMatchObject(incomplete);
  });

  it('may not go on for ever', async () => {
    const endless = Buffer.alloc(1_000_000);
    await expect(extract([asked('a', 4)], endless, 10_000)).rejects.toMatchObject({ code: 'unsafe-path' });
  });
});
