import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCalcJobs } from '../../../src/calcjob/create.js';
import { computerSchema } from '../../../src/config/computer.js';
import { jobSchema } from '../../../src/config/job.js';
import { addComputer } from '../../../src/engine/computers.js';
import { openProfile, type Profile } from '../../../src/engine/profile.js';
import { leaseHolder } from '../../../src/store/leases.js';
import type { ComputerRow } from '../../../src/store/tables.js';
import { type Sshd, startSshd } from '../../rigs/sshd.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, startDaemonRig } from './rig.js';

const labels = ['red', 'green', 'blue'] as const;
const jobsPerWave = 2;
/** Each ends with a kill. */
const waves = 7;
/** A submission that a kill has cut off may have to wait until nobody can carry it out any more. */
const patience = { timeout: 150_000, interval: 10 };

/** A computer whose connections and listings are counted over there. */
interface CountedComputer extends AsyncDisposable {
  readonly row: ComputerRow;
  /** Most connections that were open at once, and how many there were. */
  readonly connections: { most: number; total: number };
  /** The labels of the jobs that ran, as each wrote its own. */
  runs(): Promise<string[]>;
  /** Listings in the order of their begin, in milliseconds; one whose session was cut may have no end. */
  listings(): Promise<{ begin: number; end: number | undefined }[]>;
}

/** Stands for `sh` on the computer's PATH and writes down when listings begin and end. */
const watchingShell = `#!/bin/sh
[ "$3" = wherry-direct ] && [ "$6" = list ] || exec /bin/sh "$@"
echo "begin $$ $(date +%s%3N)" >> "$HOME/listings"
/bin/sh "$@"
code=$?
echo "end $$ $(date +%s%3N)" >> "$HOME/listings"
exit $code
`;

async function startComputer(label: string, profile: Profile, shellDirectory: string): Promise<CountedComputer> {
  const sshd = await startSshd({ environment: { PATH: `${shellDirectory}:/usr/local/bin:/usr/bin:/bin` } });
  const counter = await startCounter(sshd);
  const knownHostsFile = path.join(sshd.directory, 'known_hosts_of_counter');
  const known = await readFile(sshd.knownHostsFile, 'utf8');
  await writeFile(knownHostsFile, known.replace(`:${sshd.port} `, `:${counter.port} `));
  const config = computerSchema.parse({
    label,
    transport: 'ssh',
    connection: { ...sshd.connection, port: counter.port, knownHostsFile },
    scheduler: 'direct',
    workDirectory: '{home}/wherry',
    limits: { minPollInterval: 0.5, safeOpenInterval: 0 },
  });
  const lines = async (name: string) =>
    (await readFile(path.join(sshd.home, name), 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
  return {
    row: await addComputer(profile.store, config),
    connections: counter.connections,
    runs: () => lines('runs'),
    async listings() {
      const found = new Map<string, { begin: number; end: number | undefined }>();
      for (const line of await lines('listings')) {
        const [word, pid = '', time] = line.split(' ');
        const listing = found.get(pid);
        if (word === 'begin') found.set(pid, { begin: Number(time), end: undefined });
        else if (listing !== undefined) listing.end = Number(time);
      }
      return [...found.values()].sort((one, other) => one.begin - other.begin);
    },
    async [Symbol.asyncDispose]() {
      await counter[Symbol.asyncDispose]();
      await sshd[Symbol.asyncDispose]();
    },
  };
}

/** Stands before a server and counts who is connected, on the server's side of the network. */
async function startCounter(sshd: Sshd) {
  const connections = { most: 0, total: 0 };
  let open = 0;
  const server = createServer((client) => {
    const upstream = connect(sshd.port, '127.0.0.1');
    open += 1;
    connections.total += 1;
    // After whatever has come at the same time, the end of another connection among it.
    setImmediate(() => {
      connections.most = Math.max(connections.most, open);
    });
    let ended = false;
    const end = () => {
      if (!ended) open -= 1;
      ended = true;
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.once('end', end);
      socket.once('error', end);
      socket.once('close', end);
    }
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the counter has no port');
  const { port } = address;
  return {
    port,
    connections,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}

/** Whole numbers below a bound, the same with each run of the test. */
function dice(seed: number): (bound: number) => number {
  let state = seed;
  return (bound) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * bound);
  };
}

const labelOf = (wave: number, count: number) => `job-${wave}-${count}`;

describe('a daemon under load whose workers and supervisor are killed', () => {
  let rig: DaemonRig;
  let profile: Profile;
  let shellDirectory: string;
  const computers: CountedComputer[] = [];

  beforeAll(async () => {
    shellDirectory = await mkdtemp(path.join(tmpdir(), 'wherry-shell-'));
    await writeFile(path.join(shellDirectory, 'sh'), watchingShell, { mode: 0o755 });
    await chmod(shellDirectory, 0o755);
    rig = await startDaemonRig();
    profile = await openProfile({ home: rig.wherry.home });
    for (const label of labels) computers.push(await startComputer(label, profile, shellDirectory));
  });
  afterAll(async () => {
    await profile?.[Symbol.asyncDispose]();
    await rig?.[Symbol.asyncDispose]();
    for (const computer of computers) await computer[Symbol.asyncDispose]();
    await rm(shellDirectory, { recursive: true, force: true });
  });

  const holderOf = ({ row }: CountedComputer) => leaseHolder(profile.store, `computer:${row.id}`, Date.now());
  const living = (computer?: CountedComputer) => {
    const query = profile.store.selectFrom('processes').select('id').where('ended_at', 'is', null);
    return (computer === undefined ? query : query.where('computer_id', '=', computer.row.id)).execute();
  };
  const eventCount = async () =>
    (await profile.store.selectFrom('events').select('id').orderBy('id', 'desc').limit(1).executeTakeFirst())?.id ?? 0;

  /** Each job writes its label on its computer. */
  async function submitWave(wave: number): Promise<void> {
    const command = ['sh', '-c', 'echo "$0" >> "$HOME/runs"; sleep 0.2; echo done'];
    const jobs = computers.flatMap(({ row }) =>
      Array.from({ length: jobsPerWave }, (_, count) => {
        const label = labelOf(wave, count);
        return {
          job: jobSchema.parse({ computer: row.label, label, command: [...command, label] }),
          computer: row,
          files: [],
        };
      }),
    );
    await createCalcJobs(profile, jobs);
  }

  async function killSupervisor(): Promise<void> {
    const { pid, workers } = await rig.status();
    process.kill(pid, 'SIGKILL');
    await Promise.all([pid, ...workers.map((worker) => worker.pid ?? pid)].map(rig.ended));
    await rig.wherry.succeed(['daemon', 'start', '--workers', '4']);
  }

  /** Kills the worker that drives a computer. Milliseconds until another is connected to it, or nothing is left to do. */
  async function killDriver(computer: CountedComputer): Promise<number | undefined> {
    const holder = await holderOf(computer);
    if (holder === undefined) return undefined;
    const { total } = computer.connections;
    const began = performance.now();
    process.kill(holder.pid, 'SIGKILL');
    await until(async () => computer.connections.total > total || (await living(computer)).length === 0, {
      ...patience,
      what: 'another driver',
    });
    return Math.round(performance.now() - began);
  }

  it('ends every job after one run, with one connection and one listing per computer, and recovers at once', async () => {
    const roll = dice(7);
    const kills: number[] = [];
    const recoveries: number[] = [];
    await submitWave(0);
    await rig.wherry.succeed(['daemon', 'start', '--workers', '4']);
    const holders = await until(
      async () => {
        const found = await Promise.all(computers.map(holderOf));
        return found.every((holder) => holder !== undefined) && found;
      },
      { ...patience, what: 'a driver for each computer' },
    );
    expect(new Set(holders.map((holder) => holder?.pid)).size).toBe(labels.length);

    for (let wave = 1; wave <= waves; wave++) {
      await rig.status();
      const progress = (await eventCount()) + roll(80);
      await until(async () => (await eventCount()) >= progress || (await living()).length === 0, {
        ...patience,
        what: 'some progress',
      });
      await submitWave(wave);
      const victim = computers[roll(labels.length)] as CountedComputer;
      await until(() => holderOf(victim), { ...patience, what: 'a driver' });
      kills.push(Date.now());
      if (wave === Math.ceil(waves / 2)) await killSupervisor();
      else {
        const recovery = await killDriver(victim);
        if (recovery !== undefined) recoveries.push(recovery);
      }
    }
    await until(async () => (await living()).length === 0, { ...patience, what: 'the end of all jobs' });

    const rows = await profile.store.selectFrom('processes').selectAll().execute();
    expect(rows.filter(({ state, exit_status }) => state !== 'finished' || exit_status !== 0)).toEqual([]);
    const wanted = Array.from({ length: waves + 1 }, (_, wave) =>
      Array.from({ length: jobsPerWave }, (_, count) => labelOf(wave, count)),
    ).flat();
    for (const computer of computers) {
      expect((await computer.runs()).sort()).toEqual(wanted.sort());
      expect(computer.connections.most).toBe(1);
      const listings = await computer.listings();
      expect(listings.length).toBeGreaterThan(2);
      // Only what a killed worker had begun may still be going on over there when the next one begins.
      const overlaps = listings.filter(({ end }, at) => {
        const next = listings[at + 1];
        if (next === undefined || (end !== undefined && end <= next.begin)) return false;
        return !kills.some((time) => time >= (listings[at]?.begin ?? 0) - 1_000 && time <= next.begin);
      });
      expect(overlaps).toEqual([]);
    }
    // Nobody waited for the end of a dead worker's lease, which is half a minute.
    expect(Math.max(...recoveries)).toBeLessThan(15_000);
    const submissions = await profile.store.selectFrom('submissions').select(['outcome']).execute();
    expect(submissions.filter(({ outcome }) => outcome === 'accepted')).toHaveLength(rows.length);
  });
});
