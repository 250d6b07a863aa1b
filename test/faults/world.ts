import { rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { createCalcJobs } from '../../src/calcjob/create.js';
import { computerSchema } from '../../src/config/computer.js';
import { locateProfile } from '../../src/config/home.js';
import { jobSchema } from '../../src/config/job.js';
import { addComputer } from '../../src/engine/computers.js';
import { loadComputer } from '../../src/engine/loaded-computer.js';
import type { Profile } from '../../src/engine/profile.js';
import { openStore } from '../../src/store/store.js';
import type { ComputerRow, ProcessRow } from '../../src/store/tables.js';
import { SimulatedCluster, virtualTimers } from '../../testing/index.js';
import { providedDatabase } from '../rigs/provided-postgres.js';
import { ImmediateRepository } from './immediate-repository.js';
import { Leasehold } from './leasehold.js';
import type { Life } from './life.js';
import { Line } from './line.js';
import type { Plan } from './plan.js';
import { announce } from './simulated-computer.js';

/** Everything that a plan is carried out in: a store, a repository, a computer, their one clock. */
export interface World extends AsyncDisposable {
  readonly profile: Profile;
  readonly cluster: SimulatedCluster;
  readonly clock: SimulatedCluster['clock'];
  readonly computer: ComputerRow;
  readonly rows: readonly ProcessRow[];
  readonly leasehold: Leasehold;
  readonly line: Line;
  /** Those of all drivers, in the order in which they began. */
  readonly lives: Life[];
  /** Writes a line into the story, with its time. */
  tell(story: string): void;
}

const computerFile = fileURLToPath(new URL(import.meta.url.replace(/world(\.\w+)$/, 'simulated-computer$1')));

/**
 * Builds the world of a plan, with its processes stored and nothing driven yet. The store is on PostgreSQL where the
 * project of the test provides it.
 */
export async function createWorld(plan: Plan): Promise<World> {
  const directory = await mkdtemp(path.join(tmpdir(), 'wherry-faults-'));
  const database = await providedDatabase();
  // Nothing outlives the program that plays this, and nothing waits for a disk.
  const store = await openStore(database?.place ?? { kind: 'sqlite', file: ':memory:' });
  const profile: Profile = {
    location: locateProfile({ home: directory }, {}),
    settings: {},
    store,
    repository: new ImmediateRepository(path.join(directory, 'repository')),
    [Symbol.asyncDispose]: () => store.destroy(),
  };
  const cluster = new SimulatedCluster(plan);
  const { clock } = cluster;
  const line = new Line(cluster, plan.safeOpenInterval);
  const place = announce(directory, (options) => line.open(options));
  const hold = database === undefined ? undefined : (await import('./held-clock.js')).holdWhileAsked(clock);
  const timers = virtualTimers(clock);
  const began = clock.now();
  const computer = await storeComputer(profile, plan, directory);
  return {
    profile,
    cluster,
    clock,
    computer,
    line,
    rows: await storeJobs(profile, plan, computer, clock.now, directory),
    leasehold: new Leasehold(),
    lives: [],
    tell: (story) => cluster.log.push(`${((clock.now() - began) / 1000).toFixed(1)} ${story}`),
    [Symbol.asyncDispose]: async () => {
      timers[Symbol.dispose]();
      place[Symbol.dispose]();
      await store.destroy();
      hold?.[Symbol.dispose]();
      await database?.[Symbol.asyncDispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function storeComputer({ store }: Profile, plan: Plan, name: string): Promise<ComputerRow> {
  const config = computerSchema.parse({
    label: 'simulated',
    transport: computerFile,
    connection: { name },
    scheduler: plan.dialect.name,
    workDirectory: '/scratch/wherry',
    limits: {
      maxQueued: plan.maxQueued,
      maxRunning: plan.maxRunning,
      countForeignJobs: plan.countForeignJobs,
      pools: plan.licences === undefined ? undefined : { licences: plan.licences },
      maxChannels: plan.maxChannels,
      minPollInterval: plan.minPollInterval / 1000,
      safeOpenInterval: plan.safeOpenInterval / 1000,
      submitPerMinute: plan.submitPerMinute,
    },
  });
  const row = await addComputer(store, config);
  // Modules are loaded beforehand: the virtual clock does not wait for that.
  await loadComputer(row);
  return row;
}

async function storeJobs(
  profile: Profile,
  { jobs }: Plan,
  computer: ComputerRow,
  now: () => number,
  directory: string,
): Promise<ProcessRow[]> {
  const prepared = jobs.map(({ seconds, exitCode, walltime, licences }, index) => {
    const source = path.join(directory, `input-${index}`);
    writeFileSync(source, `job ${index}\n`);
    return {
      job: jobSchema.parse({
        command: ['simulate', '--seconds', `${seconds}`, '--exit', `${exitCode}`, '--say', `job-${index}`],
        retrieve: ['stdout.txt'],
        ...(licences === undefined ? {} : { pools: { licences } }),
        ...(walltime === undefined ? {} : { resources: { walltime } }),
      }),
      computer,
      files: [{ path: 'in.txt', source, mode: 0o644 }],
    };
  });
  const rows = await createCalcJobs({ ...profile, now }, prepared);
  // The directory on the computer is made of the uuid, which is to be the same each time.
  const known = rows.map((row) => ({ ...row, uuid: `00000000-0000-4000-8000-${String(row.id).padStart(12, '0')}` }));
  for (const { id, uuid } of known) {
    await profile.store.updateTable('processes').set({ uuid }).where('id', '=', id).execute();
  }
  return known;
}
