import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sql } from 'kysely';
import { createCalcJobs, type PreparedJob } from '../src/calcjob/create.js';
import { jobSchema } from '../src/config/job.js';
import { Engine } from '../src/engine/engine.js';
import type { ComputerRow } from '../src/store/tables.js';
import { startProfile, type TestProfile } from '../test/rigs/profile.js';
import { SimulatedCluster, slurmDialect, VirtualClock } from '../testing/index.js';
import type { Measurement } from './measurement.js';
import { RealClock } from './real-clock.js';
import { simulatedComputer } from './simulated-computer.js';

const jobs = Number(process.env.WHERRY_BENCH_JOBS ?? 2000);
const rounds = Number(process.env.WHERRY_BENCH_ROUNDS ?? 3);
const channels = 16;

/** What the time of a simulated cluster is, and what its jobs and listings take of it, in seconds. */
interface Variant {
  readonly clock: () => VirtualClock;
  readonly job: number;
  readonly longestWait: number;
  readonly minPollInterval: number;
}

const variants = {
  virtual: { clock: () => new VirtualClock(), job: 1, longestWait: 20, minPollInterval: 30 },
  real: { clock: () => new RealClock(), job: 0.001, longestWait: 0, minPollInterval: 1 },
} as const satisfies Record<string, Variant>;

interface Round {
  readonly perSecond: number;
  /** Milliseconds of all threads for one calcjob. */
  readonly processorTime: number;
}

/** What the engine and its store can do where the computer, the way to it and the jobs cost nothing. */
export const lifeCycles: Measurement = {
  name: 'life-cycles',
  title: `${jobs} calcjobs on the simulated cluster, kept in SQLite on disk, one engine`,
  async run() {
    const virtual: Round[] = [];
    const real: Round[] = [];
    for (let round = 0; round < rounds; round++) {
      virtual.push(await once(variants.virtual, round));
      real.push(await once(variants.real, round));
    }
    return {
      setUp: [
        'simulated cluster with the texts of Slurm, in the same process: its own work is a part of what is measured',
        'each calcjob has one input file of its own and one retrieved file of its own; what is retrieved is synchronised ' +
          'to disk, as is every intent to submit',
        `maxChannels ${channels}; virtual clock: jobs of 1 s that wait up to 20 s, minPollInterval 30s, and nobody really ` +
          'waits; real clock: jobs that end at once, minPollInterval 1s, and the engine with the timing that users have',
        'the jobs are stored before; measured by the real clock from the start of the engine to the end of the last job',
        `${rounds} runs of each in turn, in one process, each with a new home`,
      ],
      figures: [
        {
          label: 'whole life cycles, virtual clock',
          unit: 'jobs/s',
          samples: virtual.map(({ perSecond }) => perSecond),
          goal: { kind: 'at least', value: 500 },
        },
        { label: 'whole life cycles, real clock', unit: 'jobs/s', samples: real.map(({ perSecond }) => perSecond) },
        {
          label: 'processor time of one, virtual clock',
          unit: 'ms',
          samples: virtual.map(({ processorTime }) => processorTime),
        },
        {
          label: 'processor time of one, real clock',
          unit: 'ms',
          samples: real.map(({ processorTime }) => processorTime),
        },
      ],
    };
  },
};

async function once(variant: Variant, seed: number): Promise<Round> {
  await using rig = await startProfile();
  const { minPollInterval, longestWait, job } = variant;
  const clock = variant.clock();
  const options = { dialect: slurmDialect, seed, clock, longestLatency: 0, longestWait: longestWait * 1000 };
  const cluster = new SimulatedCluster(options);
  using computer = await simulatedComputer(rig, cluster, { limits: { minPollInterval, maxChannels: channels } });
  await createCalcJobs({ ...rig.profile, now: clock.now }, await prepared(rig, computer.row, job));
  const before = process.cpuUsage();
  const began = performance.now();
  await drive(rig, cluster, computer.row.id);
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(before);
  await expectGood(rig, cluster);
  return { perSecond: jobs / seconds, processorTime: (user + system) / 1000 / jobs };
}

async function prepared({ directory }: TestProfile, computer: ComputerRow, seconds: number): Promise<PreparedJob[]> {
  const all: PreparedJob[] = [];
  for (let index = 0; index < jobs; index++) {
    const source = path.join(directory, `input-${index}`);
    await writeFile(source, `input of job ${index}\n`);
    const job = jobSchema.parse({
      command: ['simulate', '--seconds', String(seconds), '--say', `output of job ${index}`],
      stdout: 'result.txt',
      retrieve: ['result.txt'],
    });
    all.push({ job, computer, files: [{ path: 'input.txt', source, mode: 0o644 }] });
  }
  return all;
}

async function drive({ profile }: TestProfile, { clock }: SimulatedCluster, computerId: number): Promise<void> {
  const isReal = clock instanceof RealClock;
  const simulated = { now: clock.now, sleep: clock.sleep, heartbeat: 8_000 };
  await using engine = new Engine(profile, isReal ? {} : simulated);
  const until = async () => {
    const open = await profile.store
      .selectFrom('processes')
      .select('id')
      .where('computer_id', '=', computerId)
      .where('stage', 'is not', null)
      .where('paused', '=', sql.lit(0))
      .limit(1)
      .executeTakeFirst();
    return open === undefined;
  };
  const driving = engine.drive({ signal: AbortSignal.timeout(300_000), until });
  await (isReal ? driving : clock.during(driving));
}

async function expectGood({ profile }: TestProfile, cluster: SimulatedCluster): Promise<void> {
  const { count } = await profile.store
    .selectFrom('processes')
    .innerJoin('files', 'files.process_id', 'processes.id')
    .select((columns) => columns.fn.countAll<number>().as('count'))
    .where('exit_status', '=', 0)
    .where('role', '=', 'outputs')
    .where('path', '=', 'result.txt')
    .executeTakeFirstOrThrow();
  const ran = [...cluster.queue.jobs.values()].filter(({ runs }) => runs === 1).length;
  if (Number(count) !== jobs || ran !== jobs)
    throw new Error(`${count} of ${jobs} ended well and ${ran} jobs ran once`);
}
