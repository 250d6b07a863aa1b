import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Communicator } from '../../../src/broker/communicator.js';
import { openCommunicator } from '../../../src/engine/control/open-communicator.js';
import { openProfile, type Profile } from '../../../src/engine/profile.js';
import { type Host, hostsImpossible } from '../../rigs/hosts.js';
import { until } from '../../rigs/until.js';
import { documented } from './documented.js';
import {
  type Computer,
  type CountedJob,
  expectEachRanOnce,
  patience,
  startWorld,
  submitCounted,
  type World,
} from './world.js';

const labels = ['red', 'green', 'blue', 'grey'] as const;
const workersPerHost = 2;

const title = `two hosts share four computers ${hostsImpossible ?? ''}`;

describe.skipIf(hostsImpossible)(title, { timeout: 240_000 }, () => {
  let world: World;
  let one: Host;
  let two: Host;
  let computers: Computer[];

  beforeAll(async () => {
    world = await startWorld();
    one = await world.addHost('one');
    two = await world.addHost('two');
    computers = await Promise.all(labels.map((label) => world.addComputer(one, label)));
    for (const host of [one, two]) await host.succeed(documented('daemon start', { '2': String(workersPerHost) }));
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const rowOf = (id: number) =>
    world.store.selectFrom('processes').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const workers = () => Promise.all([one, two].map(workersOf));

  /** Its workers, as a daemon tells; a worker that was replaced has another pid. */
  async function workersOf(host: Host): Promise<{ pid: number; state: string }[]> {
    const { workers } = JSON.parse(await host.succeed(['daemon', 'status', '--json']));
    return workers.map(({ pid, state }: { pid: number; state: string }) => ({ pid, state }));
  }

  /** Submits a job that says that it runs, and then waits until the gate of its computer is open. */
  async function submitGated(host: Host, computer: string): Promise<number> {
    const script = 'echo begun; until [ -e "$HOME/gate" ]; do sleep 0.1; done; echo done';
    return Number(await host.succeed(['submit', '--computer', computer, '--', 'sh', '-c', script]));
  }

  /** Lets gated jobs end, or those that come wait. */
  async function gates(wanted: 'open' | 'close'): Promise<void> {
    const files = computers.map(({ sshd }) => path.join(sshd.home, 'gate'));
    await one.execute(wanted === 'open' ? ['touch', ...files] : ['rm', ...files]);
  }

  it('one driver for each computer, as many at each worker, and every command works from everywhere', async () => {
    const gated = new Map<string, number>();
    for (const [index, label] of labels.entries()) gated.set(label, await submitGated(index % 2 ? two : one, label));
    const drivers = await until(
      async () => {
        const found = await world.drivers();
        const places = new Set([...found.values()].map(({ host, pid }) => `${host} ${pid}`));
        return places.size === labels.length && found;
      },
      { what: 'a worker for each computer', ...patience },
    );
    expect([...drivers.values()].map(({ host }) => host).sort()).toEqual(['one', 'one', 'two', 'two']);
    for (const id of gated.values()) {
      await until(async () => (await rowOf(id)).stage === 'update', { what: `job ${id}`, ...patience });
    }

    const status = await one.succeed(documented('status'));
    expect(status).toContain(`elsewhere  ${workersPerHost} workers on two`);
    for (const [label, { pid, host }] of drivers)
      expect(status).toMatch(new RegExp(`${label}: .*driven by pid ${pid} on ${host}`));

    const foreign = labels.filter((label) => drivers.get(label)?.host === 'two');
    const [first = ''] = foreign;
    const [kept = 0, doomed = 0] = foreign.map((label) => gated.get(label));
    const stdout = () => one.run(['files', 'cat', String(kept), 'stdout.txt', '--remote']);
    await until(async () => (await stdout()).stdout === 'begun\n', { what: 'output', ...patience });
    expect(await one.succeed(documented('files ls', { '3': String(kept) }))).toContain('stdout.txt');
    await one.succeed(['files', 'get', String(kept), '--remote', '--to', 'copy']);
    expect(await one.read('here/copy/stdout.txt')).toBe('begun\n');
    expect(await one.succeed(documented('computer test', { daint: first }))).not.toBe('');

    await one.succeed(documented('kill', { '4': String(doomed) }));
    await until(async () => (await rowOf(doomed)).state === 'killed', { what: 'the kill', ...patience });

    const watched = one.run(documented('watch', { '3': String(kept) }), patience);
    const waited = one.run(documented('wait', { '3': String(kept) }), patience);
    await gates('open');
    expect(await waited).toMatchObject({ exitCode: 0 });
    const { stdout: told, exitCode } = await watched;
    expect(exitCode).toBe(0);
    expect(told).toContain('finished');
    await world.allEnded();
    // Whatever was asked for went over the one connection of the one who drives.
    for (const { label, logins } of computers) {
      expect(logins()).toEqual([drivers.get(label)?.host === 'one' ? one.address : two.address]);
    }
  });

  it('without RabbitMQ jobs go on, and with it again everything works as before', async () => {
    const before = await workers();
    const home = path.join(world.hosts.shared, 'observer');
    await using profile: Profile = await observer(home);
    await using communicator: Communicator = await openCommunicator(profile);
    const heard: string[] = [];
    await communicator.listen([{ subject: 'state.#' }], ({ sender }) => void heard.push(String(sender)));

    await world.rabbitmq.stop();
    const jobs = countedJobs('without');
    const ids = await submitCounted(one, world.hosts, jobs);
    const { stdout, exitCode } = await one.run(['status']);
    expect(exitCode).toBe(0);
    expect(stdout.split('\n').filter((line) => line.startsWith('broker'))).toEqual([
      expect.stringMatching(/^broker +amqp:.* cannot be used, work goes on without it: /),
    ]);
    await two.succeed(['wait', ...ids.map(String)], patience);
    await expectEachRanOnce(jobs);

    await world.rabbitmq.start();
    await until(() => communicator.connected, { what: 'the observer', ...patience });
    await until(
      async () => JSON.parse(await one.succeed(['status', '--json'])).broker.tasks?.takers === 2 * workersPerHost,
      {
        what: 'all workers at the broker',
        ...patience,
      },
    );
    await gates('close');
    for (const label of labels) {
      const id = await submitGated(one, label);
      await until(() => heard.includes(`process.${id}`), { what: `a broadcast of ${id}`, ...patience });
      await until(async () => (await rowOf(id)).stage === 'update', { what: `job ${id}`, ...patience });
      // Two of them belong to workers of the other host.
      expect(await one.succeed(['files', 'ls', String(id), '--remote'])).toContain('stdout.txt');
    }
    await gates('open');
    await world.allEnded();
    expect(await workers()).toEqual(before);
  });

  it('PostgreSQL is restarted in the middle: nothing is lost, no worker ends, no attempt is used up', async () => {
    const before = await workers();
    const jobs = countedJobs('restart', 4);
    const ids = await submitCounted(two, world.hosts, jobs);
    const ended = async () =>
      (
        await world.store
          .selectFrom('processes')
          .select('id')
          .where('id', 'in', ids)
          .where('ended_at', 'is not', null)
          .execute()
      ).length;
    await until(async () => (await ended()) >= 2, { what: 'the first ends', ...patience });
    expect(await ended()).toBeLessThan(jobs.length);
    await world.postgres.restart();
    await world.allEnded();
    await expectEachRanOnce([...countedJobs('without'), ...jobs]);
    for (const id of ids) expect(await rowOf(id)).toMatchObject({ state: 'finished', exit_status: 0, attempts: 0 });
    const submissions = await world.store
      .selectFrom('submissions')
      .select('outcome')
      .where('process_id', 'in', ids)
      .execute();
    expect(submissions.map(({ outcome }) => outcome)).toEqual(jobs.map(() => 'accepted'));
    expect(await workers()).toEqual(before);
  });

  it('a host whose clock is wrong is refused with one line', async () => {
    const host = await world.addHost('late');
    const environment = { LD_PRELOAD: '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', FAKETIME: '-60s' };
    const { exitCode, stderr } = await host.run(['daemon', 'start'], { environment });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/the clock of this host is (59|60)\.\d s behind that of the database/);
    // Before it stands what the daemon has written to its log.
    const said = stderr.split('\n').filter((line) => line.startsWith('wherry: '));
    expect(said).toEqual([expect.stringContaining('let both follow the same time server')]);
    await host.kill();
  });

  function countedJobs(name: string, each = 2): CountedJob[] {
    return computers.flatMap((computer) =>
      Array.from({ length: each }, (_, index) => ({ computer, label: `${name}-${computer.label}-${index}` })),
    );
  }

  /** A profile of this machine, which is on the same network. */
  async function observer(home: string): Promise<Profile> {
    await one.succeed(['--home', home, ...world.init]);
    return openProfile({ home });
  }
});
