import { createHash, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Cluster, startCluster } from '../../rigs/cluster.js';

const size = 200 * 2 ** 20;

describe('a file of 200 MB on real Slurm', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ slurm: { accounting: false } });
  });
  afterAll(() => cluster?.[Symbol.asyncDispose]());

  async function writeRandom(file: string): Promise<string> {
    const hash = createHash('sha256');
    const handle = await open(file, 'w');
    try {
      for (let written = 0; written < size; written += 2 ** 20) {
        const chunk = randomBytes(2 ** 20);
        hash.update(chunk);
        await handle.write(chunk);
      }
    } finally {
      await handle.close();
    }
    return hash.digest('hex');
  }

  it('goes there and comes back byte for byte', async () => {
    const source = path.join(cluster.directory, 'large');
    const sha256 = await writeRandom(source);
    const row = await cluster.submit(
      cluster.computer,
      { command: ['cp', 'large', 'back'], retrieve: [{ from: 'back', to: 'results' }] },
      [{ path: 'large', source, mode: 0o644 }],
    );
    const [ended] = await cluster.drive([row], { timeout: 100_000 });
    expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
    const file = await cluster.profile.store
      .selectFrom('files')
      .selectAll()
      .where('process_id', '=', row.id)
      .where('path', '=', 'results/back')
      .executeTakeFirstOrThrow();
    expect(file).toMatchObject({ size, sha256 });
    expect(
      createHash('sha256')
        .update(await cluster.profile.repository.read(sha256))
        .digest('hex'),
    ).toBe(sha256);
  });
});
