import { createHash, randomBytes } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BulkTransfer, type Connection, type Exec, shellFiles, type TreeEntry } from '../../../src/plugin.js';
import local from '../../../transports/local/index.js';

const bounds = { timeout: 20_000 };
let top: string;
let connection: Connection;
let commands: number;
let puts: string[];
let gets: string[];

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'wherry-bulk-'));
  connection = await local.open({}, bounds);
  [commands, puts, gets] = [0, [], []];
});

afterEach(async () => {
  await connection.close();
  await rm(top, { recursive: true });
});

const exec: Exec = (script, options) => {
  commands++;
  return connection.exec(script, options);
};

const bulk: BulkTransfer = {
  minimumSize: 1000,
  put: async (localFile, remotePath, { onProgress }) => {
    puts.push(remotePath);
    await copyFile(localFile, remotePath);
    onProgress?.(2000);
  },
  get: async (remotePath, localFile) => {
    gets.push(remotePath);
    await copyFile(remotePath, localFile);
  },
};

async function tree(): Promise<TreeEntry[]> {
  const bytes = randomBytes(2000);
  const file = join(top, 'source');
  await writeFile(file, bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const small = createHash('sha256').update('x').digest('hex');
  return [
    { type: 'file', path: 'deep/er/new\nline', size: 2000, sha256, content: { file }, mode: 0o755 },
    { type: 'file', path: 'large', size: 2000, sha256, content: { file } },
    { type: 'file', path: 'small', size: 1, sha256: small, content: Buffer.from('x') },
  ];
}

describe('bulk transfer', () => {
  it('brings large files, and one command more verifies them', async () => {
    const files = shellFiles(exec, { bulk });
    const place = `${top}/job`;
    let sent = 0;
    await files.upload(await tree(), place, {
      ...bounds,
      onProgress: (bytes) => {
        sent = bytes;
      },
    });
    expect([commands, puts.length, sent]).toEqual([2, 2, 4001]);
    const found = await files.find(place, [''], bounds);
    const sizes = found.filter(({ type }) => type === 'file').map(({ path, size, mode }) => [path, size, mode]);
    expect(sizes.sort()).toEqual([
      ['deep/er/new\nline', 2000, 0o755],
      ['large', 2000, 0o644],
      ['small', 1, 0o644],
    ]);
    await files.download(
      place,
      found.filter(({ type }) => type === 'file'),
      top,
      bounds,
    );
    expect(gets).toHaveLength(2);
    expect(await readFile(`${top}/large`)).toEqual(await readFile(`${top}/source`));
  });

  it('takes nobody’s word for it', async () => {
    const cut: BulkTransfer = { ...bulk, put: async (from, to) => copyFile(from, to).then(() => truncate(to, 1999)) };
    const upload = shellFiles(exec, { bulk: cut }).upload(await tree(), `${top}/job`, bounds);
    await expect(upload).rejects.toMatchObject({ code: 'transfer-incomplete', transient: true });
    expect(await connection.find(top, ['job', 'job.part'], bounds)).toEqual([]);
  });

  it('ends when a large file makes no progress', async () => {
    const hung: BulkTransfer = {
      ...bulk,
      put: (_from, _to, { signal }) =>
        new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('stopped')))),
    };
    const upload = shellFiles(exec, { bulk: hung }).upload(await tree(), `${top}/job`, { timeout: 1000 });
    await expect(upload).rejects.toMatchObject({ code: 'timed-out', transient: true });
  });

  it('needs one command when there are no large files', async () => {
    const files = shellFiles(exec, { bulk: { ...bulk, minimumSize: 5000 } });
    await files.upload(await tree(), `${top}/job`, bounds);
    expect([commands, puts]).toEqual([1, []]);
  });
});
