import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sql } from 'kysely';
import { jobSchema } from '../src/config/job.js';
import { startProfile, type TestProfile } from '../test/rigs/profile.js';
import { runChild } from './child-driver.js';
import type { Figure, Measurement } from './measurement.js';
import type { WaitingReport } from './waiting-driver.js';

const sizes = (process.env.WHERRY_BENCH_WAITING ?? '1000,10000,100000').split(',').map(Number);
const listings = 6;
const interval = 3;

/** What it costs to have many jobs in a scheduler's queue in which nothing happens. */
export const waiting: Measurement = {
  name: 'waiting',
  title: `${sizes.join(', ')} calcjobs that wait for the scheduler, one engine`,
  async run() {
    const reports: { readonly size: number; readonly report: WaitingReport }[] = [];
    for (const size of sizes) reports.push({ size, report: await once(size) });
    return {
      setUp: [
        'rows as submitted jobs have them, put into the store at once; transport local, scheduler slurm, whose squeue is ' +
          'a script that prints one line per job: the engine runs it and reads its pipe as it does with any other',
        `minPollInterval ${interval}s; ${listings} listings in each run, in real time, and nothing changes in them; the ` +
          'time between listings, in which hardly anything is done, is a part of the figures',
        'delay of the event loop by perf_hooks, sampled every 5 ms: a loop with nothing to do shows 5 ms',
        'memory is the peak RSS of the process, processor time that of all its threads, both of the engine alone',
        'one run of each size; processor time without the first listing, but with the steps between listings',
      ],
      figures: reports.flatMap(({ size, report }) => figuresOf(size, report)),
    };
  },
};

function figuresOf(size: number, report: WaitingReport): Figure[] {
  const perListing = report.cpuSeconds / (report.listingSeconds.length - 1);
  const one = (label: string, unit: Figure['unit'], value: number, most?: number): Figure => ({
    label: `${size}: ${label}`,
    unit,
    samples: [value],
    ...(most === undefined ? {} : { goal: { kind: 'at most', value: most } }),
  });
  return [
    one('peak memory', 'MB', report.peakMegabytes, 500),
    one('delay of the event loop, p50', 'ms', report.delay.p50),
    one('delay of the event loop, p99', 'ms', report.delay.p99, 100),
    one('longest delay of the event loop', 'ms', report.delay.max),
    { label: `${size}: one listing, from its beginning to its end`, unit: 's', samples: report.listingSeconds },
    one('processor time of one listing', 's', perListing),
    one('the same per job', 'µs', (perListing / size) * 1e6),
  ];
}

async function once(size: number): Promise<WaitingReport> {
  await using rig = await startProfile();
  const commands = path.join(rig.directory, 'commands');
  await mkdir(commands);
  const listing = path.join(rig.directory, 'listing');
  await writeFile(listing, Array.from({ length: size }, (_, index) => `${line(index + 1)}\n`).join(''));
  await writeFile(path.join(commands, 'squeue'), `#!/bin/sh\nexec cat ${listing}\n`);
  await chmod(path.join(commands, 'squeue'), 0o755);
  await fill(rig, size);
  return await runChild<WaitingReport>('waiting-driver', [`${rig.directory}/home`, String(listings)], {
    PATH: `${commands}:${process.env.PATH}`,
  });
}

const submittedAt = '2026-01-01T00:00:00';

/** As squeue shows a job that waits: the fields that the plugin asks for. */
function line(id: number): string {
  return `${1000 + id}|PENDING|me|batch|${submittedAt}|N/A|N/A|0:00||Priority|wherry-${id}-0123456789`;
}

/** What each process and its submission look like once the scheduler has said that the job waits. */
async function fill(rig: TestProfile, size: number): Promise<void> {
  const { store } = rig.profile;
  const computer = await rig.addComputer({
    label: 'waiting',
    transport: 'local',
    scheduler: 'slurm',
    workDirectory: `${rig.directory}/work`,
    limits: { minPollInterval: interval },
  });
  const job = jobSchema.parse({
    label: 'waiting',
    command: ['pw.x', '-in', 'pw.in'],
    resources: { nodes: 2, walltime: '1h' },
    environment: { OMP_NUM_THREADS: '1' },
    retrieve: ['pw.out', { from: 'out/**/*.xml', to: 'results', depth: 2 }],
  });
  const now = Date.now();
  const numbers = sql`with recursive numbers (i) as (select 1 union all select i + 1 from numbers where i < ${size})`;
  const info = { state: 'queued', word: 'PENDING', reason: 'Priority', user: 'me', queue: 'batch' };
  await store.transaction().execute(async (transaction) => {
    await sql`
      insert into processes (uuid, kind, name, label, description, state, stage, stage_since, computer_id, inputs,
        remote_directory, job_id, scheduler_state, scheduler_word, scheduler_reason, job_info, waiting_for,
        waiting_since, due_at, created_at, updated_at)
      ${numbers} select printf('00000000-0000-4000-8000-%012d', i), 'calcjob', 'shell', 'waiting', '', 'waiting',
        'update', ${now}, ${computer.id}, ${JSON.stringify(job)},
        printf('/scratch/me/wherry/00/00/0000-4000-8000-%012d', i), 1000 + i, 'queued', 'PENDING', 'Priority',
        json_set(${JSON.stringify({ ...info, submittedAt: `${submittedAt}Z` })}, '$.id', 1000 + i),
        'the scheduler: queued (Priority)', ${now}, ${now}, ${now}, ${now} from numbers`.execute(transaction);
    await sql`
      insert into submissions (process_id, attempt, job_name, intended_at, outcome, job_id, resolved_at)
      ${numbers} select i, 1, printf('wherry-%d-0123456789', i), ${now}, 'accepted', 1000 + i, ${now}
      from numbers`.execute(transaction);
    for (const type of ['process.created', 'process.state', 'job.intended', 'job.submitted', 'job.state']) {
      await sql`
        insert into events (process_id, at, type, data)
        ${numbers} select i, ${now}, ${type}, ${JSON.stringify(info)} from numbers`.execute(transaction);
    }
  });
}
