import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import transport from '../../../transports/ssh/index.js';
import { startSshd } from '../../rigs/sshd.js';
import { describeFile, hashOf } from './local-file.js';

const timeout = 30_000;
const blocks = 200;

/** 200 MiB, each block different, made without much randomness since that is slow. */
async function bigFile(path: string): Promise<void> {
  const block = randomBytes(1024 * 1024);
  await using file = await open(path, 'w');
  for (let index = 0; index < blocks; index++) {
    block.writeUInt32BE(index, index * 64);
    await file.write(block);
  }
}

test.each([
  ['over SFTP', {}],
  [
    'without SFTP, where start-up files print text',
    { sftp: false, homeFiles: { '.bashrc': 'echo noise; printf more\n' } },
  ],
])('200 MB there and back are the same bytes, %s', async (_, options) => {
  const local = await mkdtemp(join(tmpdir(), 'wherry-transfer-'));
  try {
    await using sshd = await startSshd(options);
    await using connection = await transport.open(sshd.connection, { timeout });
    await bigFile(join(local, 'big'));
    await mkdir(join(local, 'back'));
    const entry = await describeFile(join(local, 'big'), 'big');
    let sent = 0;
    const directory = join(sshd.home, 'tree');
    await connection.upload([entry], directory, {
      timeout,
      onProgress: (bytes) => {
        sent = bytes;
      },
    });
    expect(sent).toBeGreaterThanOrEqual(blocks * 1024 * 1024);
    const found = await connection.find(directory, ['.'], { timeout });
    await connection.download(
      directory,
      found.filter((file) => file.type === 'file'),
      join(local, 'back'),
      { timeout },
    );
    expect(await hashOf(join(local, 'back', 'big'))).toBe(await hashOf(join(local, 'big')));
  } finally {
    await rm(local, { recursive: true, force: true });
  }
});
