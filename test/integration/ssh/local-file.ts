import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { TreeEntry } from '../../../src/plugin.js';

/** SHA-256 of a local file, lower-case hex. */
export async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) hash.update(chunk);
  return hash.digest('hex');
}

/** A local file as an entry of a tree to upload. */
export async function describeFile(file: string, path: string): Promise<TreeEntry> {
  return { type: 'file', path, size: (await stat(file)).size, sha256: await hashOf(file), content: { file } };
}
