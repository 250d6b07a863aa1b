import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadTransport } from '../src/config/plugins.js';
import type { Connection, TreeEntry } from '../src/plugin.js';
import type { SshdConnection } from '../test/rigs/sshd.js';

/** Makes a folder of small random files, ten to a subfolder, and tells what an upload of it has to know. */
export async function makeSmallFiles(folder: string, count: number, size: number): Promise<TreeEntry[]> {
  const tree: TreeEntry[] = [];
  for (let index = 0; index < count; index++) {
    const path = `part-${Math.floor(index / 10)}/file-${index}.dat`;
    const content = randomBytes(size);
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), content);
    tree.push({ type: 'file', path, size, sha256: hashOf(content), content: { file: join(folder, path) } });
  }
  await chmod(folder, 0o755);
  return tree;
}

/** Makes one large random file; the tree has it alone. */
export async function makeLargeFile(file: string, megabytes: number): Promise<TreeEntry[]> {
  const hash = createHash('sha256');
  const handle = await open(file, 'w');
  for (let piece = 0; piece < megabytes; piece += 8) {
    const content = randomBytes(8e6);
    hash.update(content);
    await handle.writeFile(content);
  }
  await handle.close();
  return [{ type: 'file', path: 'large.dat', size: megabytes * 1e6, sha256: hash.digest('hex'), content: { file } }];
}

/** A connection of the ssh transport, as the engine opens it. */
export async function openSsh(settings: SshdConnection): Promise<Connection> {
  const ssh = await loadTransport('ssh');
  return ssh.open(ssh.connection.parse(settings), { timeout: 30_000 });
}

function hashOf(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}
