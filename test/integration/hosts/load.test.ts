import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Host, hostsImpossible } from '../../rigs/hosts.js';
import { type PbsStandIn, startPbsStandIn } from '../../rigs/pbs.js';
import { type Slurm, startSlurm } from '../../rigs/slurm.js';
import { until } from '../../rigs/until.js';
import {
  type Computer,
  type CountedJob,
  expectEachRanOnce,
  patience,
  startWorld,
  submitCounted,
  type World,
} from './world.js';

/** Half of them on Slurm. */
const count = Number(process.env.WHERRY_JOBS ?? 200);
const longest = 180_000 + count * 600;
/** What is broken when so much of the work is done. */
const disturbances = { firstBroker: 0.1, store: 0.3, host: 0.5, secondBroker: 0.7 } as const;

describe.skipIf(hostsImpossible)(`${count} jobs while parts fail ${hostsImpossible ?? ''}`, () => {
  let world: World;
  let slurm: Slurm;
  let pbs: PbsStandIn;
  let directory: string;
  let one: Host;
  let two: Host;
  let computers: Computer[];

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'wherry-pbs-'));
    await chmod(directory, 0o755);
    pbs = await startPbsStandIn({ directory });
    [world, slurm] = await Promise.all([startWorld(), startSlurm()]);
    one = await world.addHost('one');
    two = await world.addHost('two');
    const onSlurm = { scheduler: 'slurm', sshd: { environment: slurm.environment }, limits: { maxQueued: 100 } };
    const onPbs = { environment: { PATH: `${pbs.binDirectory}:/usr/bin:/bin` } };
    computers = [
      await world.addComputer(one, 'cluster', onSlurm),
      await world.addComputer(one, 'cluster-too', onSlurm),
      await world.addComputer(one, 'pbs', { scheduler: 'pbspro', sshd: onPbs, limits: { maxQueued: 40 } }),
      await world.addComputer(one, 'plain', { limits: { maxQueued: 40 } }),
    ];
    for (const host of [one, two]) await host.succeed(['daemon', 'start', '--workers', '2']);
  }, 240_000);
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    await slurm?.stop();
    await pbs?.stop();
    await rm(directory, { recursive: true, force: true });
  }, 120_000);

  const counted = async (table: 'processes' | 'submissions', column: 'ended_at' | 'resolved_at') => {
    const query = world.store.selectFrom(table).select((row) => row.fn.countAll<number>().as('count'));
    return Number((await query.where(column, 'is not', null).executeTakeFirstOrThrow()).count);
  };
  const ended = () => counted('processes', 'ended_at');
  /** How much is done: half of it is to have submitted all jobs. */
  const progress = async () => ((await counted('submissions', 'resolved_at')) + (await ended())) / (2 * count);
  /** Labels of the computers on which something has not ended. */
  const withWork = async () => {
    const rows = await world.store
      .selectFrom('processes')
      .innerJoin('computers', 'computers.id', 'processes.computer_id')
      .select('computers.label')
      .distinct()
      .where('processes.ended_at', 'is', null)
      .execute();
    return new Set(rows.map(({ label }) => label));
  };
  const reached = (share: number) =>
    until(async () => (await progress()) >= share, { what: `${share} of the work`, timeout: longest, interval: 200 });

  it(
    'none is lost and none runs twice',
    async () => {
      const began = performance.now();
      const note = (words: string) => {
        const seconds = ((performance.now() - began) / 1_000).toFixed(1);
        if (process.env.WHERRY_FIGURES !== undefined) process.stdout.write(`${seconds} s  ${words}\n`);
      };
      const jobs: CountedJob[] = computers.flatMap((computer) =>
        Array.from({ length: count / computers.length }, (_, index) => ({
          computer,
          label: `${computer.label}-${index}`,
          seconds: 0.1,
        })),
      );
      const half = Math.ceil(jobs.length / 2);
      await Promise.all([
        submitCounted(one, world.hosts, jobs.slice(0, half)),
        submitCounted(two, world.hosts, jobs.slice(half)),
      ]);
      note('all are submitted');

      await reached(disturbances.firstBroker);
      await world.rabbitmq.restart();
      note('RabbitMQ was restarted');
      await reached(disturbances.store);
      await world.postgres.restart();
      note('PostgreSQL was restarted');
      await reached(disturbances.host);
      const lost = [...(await world.drivers())].filter(([, { host }]) => host === 'one').map(([label]) => label);
      const before = await ended();
      await one.powerOff();
      note(`host one lost its power; it drove ${lost.join(' and ')}; ${before} had ended`);
      await until(
        async () => {
          const drivers = await world.drivers();
          const busy = await withWork();
          return lost.every((label) => drivers.get(label)?.host === 'two' || !busy.has(label));
        },
        { what: 'the other host at the computers of the one that is gone', ...patience },
      );
      note('host two drives them');
      await reached(disturbances.secondBroker);
      await world.rabbitmq.restart();
      note('RabbitMQ was restarted again');
      await world.allEnded(longest);
      note('all have ended');

      expect(lost).not.toEqual([]);
      const rows = await world.store.selectFrom('processes').selectAll().execute();
      expect(rows).toHaveLength(jobs.length);
      const bad = rows.filter(({ state, exit_status }) => state !== 'finished' || exit_status !== 0);
      expect(bad.map(({ id, state, exit_message, last_error }) => ({ id, state, exit_message, last_error }))).toEqual(
        [],
      );
      await expectEachRanOnce(jobs);
      await expectOneJobEach();
    },
    longest,
  );

  /** Slurm itself tells how many jobs it was ever given for each process. */
  async function expectOneJobEach(): Promise<void> {
    const rows = await world.store
      .selectFrom('processes')
      .innerJoin('computers', 'computers.id', 'processes.computer_id')
      .select('processes.id')
      .where('computers.label', 'like', 'cluster%')
      .execute();
    const names = async () => {
      const { stdout } = await slurm.run(['sacct', '-a', '-X', '-n', '-P', '-S', 'now-1day', '-o', 'JobName']);
      return stdout.split('\n').filter((name) => name.startsWith('wherry-'));
    };
    await until(async () => (await names()).length >= rows.length, { what: 'accounting', ...patience });
    const processes = (await names()).map((name) => Number(name.split('-')[1]));
    expect(processes.sort((a, b) => a - b)).toEqual(rows.map(({ id }) => id).sort((a, b) => a - b));
  }
});
