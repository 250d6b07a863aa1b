import { readdir, readlink } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LifecycleHooks } from '../../../src/process/hooks.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { type Cluster, startCluster } from '../../rigs/cluster.js';
import { type Direction, startProxy, type TcpProxy } from '../../rigs/tcp-proxy.js';
import { until } from '../../rigs/until.js';

interface Position {
  readonly direction: Direction;
  readonly after: number;
}

interface Chunk {
  readonly direction: Direction;
  readonly bytes: number;
}

/** Time in which a submission of which nothing is known may still show: deadline and settle time of Slurm. */
const settling = 151_000;

describe('the connection is cut after byte n of a submission', () => {
  let cluster: Cluster;
  const proxies: TcpProxy[] = [];

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await cluster?.[Symbol.asyncDispose]();
  });

  /** A job on a computer of its own, behind a proxy of its own. */
  async function place(label: string): Promise<{ row: ProcessRow; proxy: TcpProxy }> {
    const proxy = await startProxy({ target: cluster.sshd.port });
    proxies.push(proxy);
    const computer = await cluster.addCluster(label, { port: proxy.port });
    const command = ['sh', '-c', 'echo ran >> runs; cat runs'];
    return { proxy, row: await cluster.submit(computer, { command, resources: { memoryPerNode: '50MiB' } }) };
  }

  /** Acts at the commit after which nothing but the submission is left to be said. */
  function whenSubmitting(act: (id: number) => void): LifecycleHooks {
    const begun = new Set<number>();
    return {
      onChange({ id, stage }) {
        if (stage !== 'submit' || begun.has(id)) return;
        begun.add(id);
        act(id);
      },
    };
  }

  /** What goes over the wire in a submission that nobody disturbs, piece by piece. */
  async function recordSubmission(): Promise<Chunk[]> {
    const { row, proxy } = await place('calm');
    const chunks: Chunk[] = [];
    const stop: LifecycleHooks = {
      onChange: ({ stage }) => void (stage === 'update' && proxy.watch(undefined)),
    };
    const start = whenSubmitting(() => proxy.watch((direction, bytes) => chunks.push({ direction, bytes })));
    await cluster.drive([row], { hooks: [start, stop] });
    return chunks;
  }

  /** The first, the middle and the last byte but one of each piece, in both directions. */
  function positionsOf(chunks: readonly Chunk[]): Position[] {
    const passed = { up: 0, down: 0 };
    return chunks.flatMap(({ direction, bytes }) => {
      const start = passed[direction];
      passed[direction] += bytes;
      return [0, Math.floor(bytes / 2), bytes - 1].map((part) => ({ direction, after: start + part }));
    });
  }

  /** How a process came to its job: submitted again, found though the reply was lost, or told by the reply. */
  async function wayOf({ id }: ProcessRow): Promise<string> {
    const { store } = cluster.profile;
    const rows = await store
      .selectFrom('submissions')
      .select('outcome')
      .where('process_id', '=', id)
      .orderBy('attempt')
      .execute();
    const outcomes = rows.map(({ outcome }) => outcome).join();
    if (outcomes === 'absent,accepted') return 'again';
    if (outcomes !== 'accepted') return outcomes;
    return (await cluster.eventTypes(id)).includes('job.submission-unknown') ? 'found' : 'told';
  }

  /** Does a command that was sent, or a job, still go on in the directory of a job? */
  async function isAtWork(): Promise<boolean> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const places = await Promise.all(pids.map((pid) => readlink(`/proc/${pid}/cwd`).catch(() => '')));
    return places.some((directory) => directory.startsWith(`${cluster.sshd.home}/wherry/`));
  }

  async function jobNames(): Promise<string[]> {
    const { stdout } = await cluster.slurm.run(['sacct', '-a', '-X', '-n', '-P', '-o', 'JobName']);
    return stdout.split('\n').filter((name) => name.startsWith('wherry-'));
  }

  it('each job is submitted exactly once and ends right', { timeout: 150_000 }, async () => {
    const positions = positionsOf(await recordSubmission());
    expect(positions.length).toBeGreaterThanOrEqual(20);
    const places = await Promise.all(positions.map(({ direction, after }) => place(`cut-${direction}-${after}`)));
    const rows = places.map(({ row }) => row);
    const cut = whenSubmitting((id) => {
      const index = rows.findIndex((row) => row.id === id);
      const position = positions[index];
      if (position !== undefined) places[index]?.proxy.cutAfter(position.after, position.direction);
    });

    let elapsed = 0;
    const driven = cluster.drive(rows, {
      timeout: 120_000,
      now: () => Date.now() + elapsed,
      hooks: [cut],
    });
    // The settle time passes at once, when all that was sent has come to rest on the computer.
    const passed = until(
      async () => {
        const now = await Promise.all(rows.map(({ id }) => cluster.row(id)));
        if (now.some(({ stage }) => stage === 'upload')) return false;
        const events = await Promise.all(
          now.filter(({ stage }) => stage === 'submit').map(({ id }) => cluster.eventTypes(id)),
        );
        return events.every((types) => types.includes('job.submission-unknown')) && !(await isAtWork());
      },
      { what: 'all submissions to be over or unknown', timeout: 90_000, interval: 100 },
    ).then(() => {
      elapsed = settling;
    });
    const [ended] = await Promise.all([driven, passed]);

    const ways = await Promise.all(rows.map(wayOf));
    expect(ended.map(({ state, exit_status }) => `${state} ${exit_status}`)).toEqual(rows.map(() => 'finished 0'));
    expect(await Promise.all(rows.map(({ id }) => cluster.output(id, 'stdout.txt')))).toEqual(rows.map(() => 'ran\n'));
    const expected = ended.map(({ id }) => id).sort((a, b) => a - b);
    await until(async () => (await jobNames()).length > expected.length, { what: 'accounting' });
    const ids = (await jobNames()).map((name) => Number(name.split('-')[1]));
    // The undisturbed one is the first.
    expect(ids.sort((a, b) => a - b)).toEqual([Math.min(...expected) - 1, ...expected]);
    // Every connection was cut once, and both sides of the deed were met.
    expect(places.map(({ proxy }) => proxy.connections())).toEqual(rows.map(() => 2));
    const table = positions.map(({ direction, after }, index) => `${direction} ${after}: ${ways[index]}`).join('\n');
    for (const way of ['again', 'found']) {
      expect(ways.filter((one) => one === way).length, table).toBeGreaterThan(3);
    }
    expect(new Set(ended.map(({ attempts, paused }) => `${attempts} ${paused}`))).toEqual(new Set(['0 0']));
  });
});
