import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSshd } from '../test/rigs/sshd.js';
import { interleaved, type Measurement, ratios, seconds } from './measurement.js';
import { startPeers } from './open-ssh.js';
import { makeLargeFile, openSsh } from './trees.js';

const megabytes = 512;
const rounds = 5;
const timeout = { timeout: 300_000 };

/** One large file up and down on loopback. */
export const largeFile: Measurement = {
  name: 'large-file',
  title: `a file of ${megabytes} MB on loopback`,
  async run() {
    const folder = await mkdtemp(join(tmpdir(), 'wherry-bench-'));
    try {
      await using sshd = await startSshd();
      await using peers = await startPeers(sshd.connection, sshd.directory);
      await using connection = await openSsh(sshd.connection);
      await chmod(folder, 0o755);
      const file = join(folder, 'large.dat');
      const tree = await makeLargeFile(file, megabytes);
      const there = (name: string) => `${sshd.home}/${name}`;
      const clear = (name: string) => connection.remove(there(name), timeout);
      const empty = async (name: string) => {
        await rm(join(folder, name), { recursive: true, force: true });
        await mkdir(join(folder, name));
        return join(folder, name);
      };
      const up = await interleaved(rounds, {
        async wherry() {
          await clear('wherry');
          return megabytes / (await seconds(() => connection.upload(tree, there('wherry'), timeout)));
        },
        async scp() {
          await clear('scp.dat');
          return megabytes / (await seconds(() => peers.scp(file, `computer:${there('scp.dat')}`)));
        },
      });
      const found = await connection.find(there('wherry'), ['large.dat'], timeout);
      const down = await interleaved(rounds, {
        async wherry() {
          const target = await empty('wherry');
          return megabytes / (await seconds(() => connection.download(there('wherry'), found, target, timeout)));
        },
        async scp() {
          const target = await empty('scp');
          return megabytes / (await seconds(() => peers.scp(`computer:${there('scp.dat')}`, target)));
        },
      });
      const atLeastOne = { kind: 'at least', value: 1 } as const;
      return {
        setUp: [
          'random bytes; Wherry on an open connection, `scp` with its own; the upload includes the check of the SHA-256',
          `${rounds} interleaved runs; ratios are taken run by run`,
        ],
        figures: [
          { label: 'up', unit: 'MB/s', samples: up.wherry },
          { label: 'up by `scp`', unit: 'MB/s', samples: up.scp },
          { label: 'up against `scp`', unit: 'x', samples: ratios(up.wherry, up.scp), goal: atLeastOne },
          { label: 'down', unit: 'MB/s', samples: down.wherry },
          { label: 'down by `scp`', unit: 'MB/s', samples: down.scp },
          { label: 'down against `scp`', unit: 'x', samples: ratios(down.wherry, down.scp), goal: atLeastOne },
        ],
      };
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};
