import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSshd } from '../test/rigs/sshd.js';
import { delayedWay } from './delayed-server.js';
import { interleaved, type Measurement, ratios, seconds } from './measurement.js';
import { startPeers } from './open-ssh.js';
import { makeSmallFiles, openSsh } from './trees.js';

const few = { count: 200, size: 4096, rounds: 11, scpRounds: 1 };
const many = { count: 2000, size: 4096, rounds: 7 };
const timeout = { timeout: 120_000 };

/** Small files up: a few at a distance, many nearby. */
export const smallFiles: Measurement = {
  name: 'small-files',
  title: 'small files up over ssh',
  async run() {
    const folder = await mkdtemp(join(tmpdir(), 'wherry-bench-'));
    try {
      await using sshd = await startSshd();
      const distant = await measureFew(sshd, join(folder, 'few'));
      const near = await measureMany(sshd, join(folder, 'many'));
      return {
        setUp: [
          'a round trip of 50 ms is made by a proxy that holds bytes back for 25 ms in each direction',
          'Wherry sends on an open connection, verifies every hash there, and renames the complete tree into place',
          '`rsync -a` and `scp -r` open a connection each time, as people use them; one line gives rsync an open one',
          'every run sends to a new directory; runs are interleaved, and ratios are taken run by run',
        ],
        figures: [...distant, ...near],
      };
    } finally {
      await rm(folder, { recursive: true });
    }
  },
};

type Sshd = Awaited<ReturnType<typeof startSshd>>;

async function measureFew(sshd: Sshd, folder: string) {
  await using way = await delayedWay(sshd, 50);
  await using peers = await startPeers(way.connection, sshd.directory);
  await using connection = await openSsh(way.connection);
  const tree = await makeSmallFiles(folder, few.count, few.size);
  const target = (name: string, round: number) => `${sshd.home}/few-${name}-${round}`;
  const times = await interleaved(few.rounds, {
    wherry: (round) => seconds(() => connection.upload(tree, target('wherry', round), timeout)),
    rsync: (round) => seconds(() => peers.rsync(`${folder}/`, `computer:${target('rsync', round)}`)),
    open: (round) => seconds(() => peers.rsyncOverOpen(`${folder}/`, `computer:${target('open', round)}`)),
  });
  const slow = await interleaved(few.scpRounds, {
    scp: (round) => seconds(() => peers.scp(folder, `computer:${target('scp', round)}`)),
  });
  const what = `${few.count} files of 4 KiB up at 50 ms`;
  return [
    { label: what, unit: 's', samples: times.wherry, goal: { kind: 'at most', value: 0.3 } },
    { label: 'the same by `rsync -a`', unit: 's', samples: times.rsync },
    { label: 'the same by `rsync -a`, connection open', unit: 's', samples: times.open },
    { label: 'the same by `scp -r`', unit: 's', samples: slow.scp },
  ] as const;
}

async function measureMany(sshd: Sshd, folder: string) {
  await using peers = await startPeers(sshd.connection, sshd.directory);
  await using connection = await openSsh(sshd.connection);
  const tree = await makeSmallFiles(folder, many.count, many.size);
  const target = (name: string, round: number) => `${sshd.home}/many-${name}-${round}`;
  const times = await interleaved(many.rounds, {
    wherry: (round) => seconds(() => connection.upload(tree, target('wherry', round), timeout)),
    rsync: (round) => seconds(() => peers.rsync(`${folder}/`, `computer:${target('rsync', round)}`)),
    open: (round) => seconds(() => peers.rsyncOverOpen(`${folder}/`, `computer:${target('open', round)}`)),
  });
  return [
    { label: `${many.count} files of 4 KiB up on loopback`, unit: 's', samples: times.wherry },
    { label: 'the same by `rsync -a` ', unit: 's', samples: times.rsync },
    {
      label: 'speed against `rsync -a`',
      unit: 'x',
      samples: ratios(times.rsync, times.wherry),
      goal: { kind: 'at least', value: 1 },
    },
    { label: 'speed against `rsync -a`, connection open', unit: 'x', samples: ratios(times.open, times.wherry) },
  ] as const;
}
