import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { presentWorkers } from '../../../src/engine/control/presence.js';
import { fenced } from '../../../src/store/leases.js';
import type { LeaseRow } from '../../../src/store/tables.js';
import { type Host, hostsImpossible } from '../../rigs/hosts.js';
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

const labels = ['red', 'green', 'blue'] as const;
/** Milliseconds that a lease lasts, and that the machine may need beside. */
const lease = 30_000;
const slack = 30_000;
/** Milliseconds after which the server ends a transaction of a program that has gone silent. */
const silence = 10_000;

const profileModule = fileURLToPath(new URL('../../../dist/src/engine/profile.js', import.meta.url));

/** Has all others wait in the middle of a transaction, for ever; its argument is a file that tells that it has begun. */
const holder = `
import { writeFileSync } from 'node:fs';
const { openProfile } = await import(process.argv[1]);
const { store } = await openProfile();
await store.transaction().execute(async (transaction) => {
  await transaction.selectFrom('computers').select('id').execute();
  writeFileSync(process.argv[2], '');
  await new Promise(() => setInterval(() => undefined, 1000));
});
`;

describe.skipIf(hostsImpossible)(`hosts vanish ${hostsImpossible ?? ''}`, { timeout: 240_000 }, () => {
  let world: World;
  const hosts = new Map<string, Host>();
  let computers: Computer[];
  const submitted: CountedJob[] = [];

  beforeAll(async () => {
    world = await startWorld();
    for (const name of ['one', 'two', 'three']) hosts.set(name, await world.addHost(name));
    // So few at once that there is always something left to submit.
    const limits = { maxQueued: 4 };
    computers = await Promise.all(labels.map((label) => world.addComputer(hostOf('one'), label, { limits })));
    for (const host of hosts.values()) await host.succeed(['daemon', 'start', '--workers', '1']);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  function hostOf(name: string): Host {
    const host = hosts.get(name);
    if (host === undefined) throw new Error(`there is no host ${name}`);
    return host;
  }

  async function submit(wave: string, each: number): Promise<void> {
    const jobs = computers.flatMap((computer) =>
      Array.from({ length: each }, (_, index) => ({
        computer,
        label: `${wave}-${computer.label}-${index}`,
        seconds: 1,
      })),
    );
    submitted.push(...jobs);
    await submitCounted(hostOf('one'), world.hosts, jobs);
  }

  /** Waits until these hosts, and no others, drive the computers, and something has run on each. */
  async function shared(...names: string[]): Promise<Map<string, LeaseRow>> {
    return until(
      async () => {
        const drivers = await world.drivers();
        const at = new Set([...drivers.values()].map(({ host }) => host));
        const ran = await Promise.all(computers.map((computer) => computer.runs()));
        const isSo = drivers.size === labels.length && at.size === names.length && names.every((name) => at.has(name));
        return isSo && ran.every((runs) => runs.length > 0) && drivers;
      },
      { what: `${names.join(' and ')} at work`, ...patience },
    );
  }

  /** A computer that a host drives. */
  function computerAt(drivers: Map<string, LeaseRow>, name: string): Computer {
    const computer = computers.find(({ label }) => drivers.get(label)?.host === name);
    if (computer === undefined) throw new Error(`${name} drives nothing`);
    return computer;
  }

  it('what a killed host drove is taken over when its leases have run out, and each job runs once', async () => {
    await submit('killed', 8);
    const drivers = await shared('one', 'two', 'three');
    const computer = computerAt(drivers, 'two');
    const before = computer.logins().length;
    const began = performance.now();
    await hostOf('two').kill();
    await until(() => computer.logins().length > before, { what: 'another host', ...patience });
    const taken = performance.now() - began;
    expect(computer.logins().at(-1)).not.toBe(hostOf('two').address);
    expect(taken).toBeLessThan(lease + slack);
    await world.allEnded();
    await expectEachRanOnce(submitted);
    note(`a killed host: its computer was driven again after ${seconds(taken)}`);
  });

  it('a host that cannot reach the database lets go in time, the other goes on, and it joins again', async () => {
    await submit('cut', 16);
    const drivers = await shared('one', 'three');
    const computer = computerAt(drivers, 'three');
    const kept = computerAt(drivers, 'one');
    const three = hostOf('three');
    const mark = path.join(world.hosts.shared, 'held');
    const stuck = three.execute([process.execPath, '--input-type=module', '-e', holder, profileModule, mark], patience);
    await until(() => existsSync(mark), { what: 'a transaction of the other host', ...patience });
    const logins = computer.logins().length;
    const began = performance.now();
    await three.cut('servers');
    const { expires_at } = await leaseOf(computer);
    const connected = async () =>
      (await three.execute(['ss', '-Htn', 'state', 'established', 'dst', world.hosts.addresses.computers])).stdout !==
      '';

    expect(await connected()).toBe(true);
    const letGo = until(async () => !(await connected()), { what: 'the end of its connections', ...patience }).then(
      () => {
        note(`a host cut off: its connections ended after ${seconds(performance.now() - began)}`);
        return Date.now();
      },
    );
    await fenced(world.store, undefined, (transaction) => transaction.selectFrom('computers').select('id').execute());
    const waited = performance.now() - began;
    note(`the database was locked for ${seconds(waited)}`);
    expect(await letGo).toBeLessThan(expires_at);
    // Its worker may have stood in the queue behind it.
    expect(waited).toBeLessThan(2 * silence + 10_000);

    await until(() => computer.logins().length > logins, { what: 'the other host', ...patience });
    const taken = performance.now() - began;
    note(`its computer was driven again after ${seconds(taken)}`);
    expect(computer.logins().at(-1)).toBe(hostOf('one').address);
    expect(taken).toBeLessThan(lease + slack);
    await world.allEnded();
    await expectEachRanOnce(submitted);
    // Whoever was not cut off has kept what it had.
    expect((await leaseOf(kept)).epoch).toBe(drivers.get(kept.label)?.epoch);

    await three.join();
    const joined = performance.now();
    await until(async () => (await presentWorkers(world.store, Date.now())).some(({ host }) => host === 'three'), {
      what: 'the host to join again',
      ...patience,
    });
    note(`it joined again after ${seconds(performance.now() - joined)}`);
    // The others are kept by the one who is connected to them.
    const fresh = await world.addComputer(three, 'fresh');
    const job = { computer: fresh, label: 'joined' };
    await submitCounted(hostOf('one'), world.hosts, [job]);
    await world.allEnded();
    await expectEachRanOnce([...submitted, job]);
    expect(fresh.logins()).toEqual([three.address]);
    await three.execute(['pkill', '-KILL', '-f', 'input-type=module']);
    await stuck;
  });

  async function leaseOf({ label }: Computer): Promise<LeaseRow> {
    const row = await world.store
      .selectFrom('computers')
      .select('id')
      .where('label', '=', label)
      .executeTakeFirstOrThrow();
    return world.store
      .selectFrom('leases')
      .selectAll()
      .where('name', '=', `computer:${row.id}`)
      .executeTakeFirstOrThrow();
  }
});

const seconds = (milliseconds: number) => `${(milliseconds / 1_000).toFixed(1)} s`;

/** Figures for people who ask for them. */
function note(words: string): void {
  if (process.env.WHERRY_FIGURES !== undefined) process.stdout.write(`${words}\n`);
}
