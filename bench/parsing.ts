import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Communicator } from '../src/broker/communicator.js';
import { driverAddress } from '../src/engine/control/addresses.js';
import { openCommunicator } from '../src/engine/control/open-communicator.js';
import { initProfile } from '../src/engine/init-profile.js';
import type { Profile } from '../src/engine/profile.js';
import { submitJob } from '../src/engine/submit-job.js';
import { startRabbitmq } from '../test/rigs/rabbitmq.js';
import type { Figure, Measurement } from './measurement.js';

const counts = { calls: 1_000, jobs: 4 } as const;
/** Milliseconds between two calls, so that they are spread over the time of parsing. */
const distance = 5;
/** A parser that computes as hard as it can, long enough for all calls. */
const parser = `export default () => {
  for (const end = Date.now() + 12_000; Date.now() < end; ) Math.sqrt(Math.random());
};
`;

/** How long a worker takes to answer a call while it has nothing to do, and while it parses four results at once. */
export const parsing: Measurement = {
  name: 'parsing',
  title: 'calls to a worker that parses',
  async run() {
    await using rabbitmq = await startRabbitmq();
    const figures: Figure[] = [];
    for (const [name, broker] of [
      ['embedded', undefined],
      ['RabbitMQ', rabbitmq.url],
    ] as const) {
      figures.push(...(await measure(name, broker)));
    }
    return {
      setUp: [
        `${counts.calls} calls of a worker's status from another process, ${distance} ms apart; first idle, then while`,
        `${counts.jobs} parsers, which never wait, run in threads of that worker`,
      ],
      figures,
    };
  },
};

async function measure(name: string, broker: string | undefined): Promise<Figure[]> {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-bench-parsing-'));
  const home = join(directory, 'home');
  const module = join(directory, 'parser.mjs');
  await writeFile(module, parser);
  await using made = await initProfile({ home }, { broker });
  await using communicator = await openCommunicator(made.profile, { preferred: true });
  await using _worker = await startWorker(home);
  for (let job = 0; job < counts.jobs; job++) {
    await submitJob(made.profile, { computer: 'localhost', command: ['true'], parser: module });
  }
  const owner = await ownerOf(made.profile);
  while ((await atStage(made.profile, 'parse')) < counts.jobs) await delay(20);
  const busy = await timesOf(communicator, owner);
  if ((await atStage(made.profile, 'parse')) === 0) throw new Error('the parsers ended before the calls');
  while ((await atStage(made.profile, 'parse')) > 0) await delay(100);
  const idle = await timesOf(communicator, owner);
  await rm(directory, { recursive: true, force: true });
  const figure = (label: string, value: number, goal?: number): Figure => ({
    label: `${name}: ${label}`,
    unit: 'ms',
    samples: [value],
    ...(goal === undefined ? {} : { goal: { kind: 'at most', value: goal } }),
  });
  return [
    figure('idle, p50', percentile(idle, 0.5)),
    figure('idle, p99', percentile(idle, 0.99)),
    figure('while it parses, p50', percentile(busy, 0.5)),
    figure('while it parses, p99', percentile(busy, 0.99), 50),
  ];
}

async function startWorker(home: string): Promise<AsyncDisposable> {
  const program = fileURLToPath(new URL('./parsing-worker.js', import.meta.url));
  const child = spawn(process.execPath, [program, home], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const ready = once(child.stdout, 'data');
  await Promise.race([ready, ended.then(([code]) => Promise.reject(new Error(`the worker ended with ${code}`)))]);
  return {
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Who holds the computer on which the jobs run. */
async function ownerOf({ store }: Profile): Promise<string> {
  for (;;) {
    const lease = await store
      .selectFrom('leases')
      .select('owner')
      .where('name', 'like', 'computer:%')
      .where('owner', '!=', '')
      .executeTakeFirst();
    if (lease !== undefined) return lease.owner;
    await delay(20);
  }
}

async function atStage({ store }: Profile, stage: string): Promise<number> {
  return (await store.selectFrom('processes').select('id').where('stage', '=', stage).execute()).length;
}

async function timesOf(communicator: Communicator, owner: string): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < counts.calls; call++) {
    const began = performance.now();
    await communicator.call(driverAddress(owner), 'status', null, { timeout: 60_000 });
    times.push(performance.now() - began);
    await delay(distance);
  }
  return times;
}

function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
