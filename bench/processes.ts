import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { locateProfile } from '../src/config/home.js';
import { writeProfileSettings } from '../src/config/profile-file.js';
import { Runner } from '../src/engine/control/runner.js';
import { sharedLaneOf } from '../src/engine/lanes/lane.js';
import { prepareProcess, storeProcess } from '../src/engine/lanes/new-process.js';
import { openProfile, type Profile } from '../src/engine/profile.js';
import type { ProcessDefinition } from '../src/process/definition.js';
import type { Figure, Measurement } from './measurement.js';
import { AddMany, add, Parent, Sleeper } from './process-definitions.js';

const counts = { calls: 500, recorded: 10_000, waiting: 10_000, parents: 10_000, workers: 2 } as const;
const children = 3;
const module = fileURLToPath(new URL('./process-definitions.js', import.meta.url));

/** What processes cost: a call of a function, a replay, and many workflows that wait or call others. */
export const processes: Measurement = {
  name: 'processes',
  title: 'functions and workflows',
  async run() {
    const figures: Figure[] = [];
    for (const measure of [callFunctions, replayCalls, waitTogether, callChildren]) {
      figures.push(...(await inFolder(measure)));
    }
    return {
      setUp: [
        'everything is stored in SQLite',
        `${counts.calls} calls of a calcfunction from a program, one after another`,
        `a workflow of ${counts.recorded} recorded calls: from when it is woken until a worker that does not have it in memory has replayed it`,
        `${counts.waiting} workflows that wait for a day: resident memory of the one worker that began them all`,
        `${counts.parents} workflows that each call ${children} calcfunctions at once, on ${counts.workers} workers, to the end`,
      ],
      figures,
    };
  },
};

async function inFolder<T>(work: (home: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'wherry-bench-processes-'));
  try {
    return await work(join(directory, 'home'));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function callFunctions(home: string): Promise<Figure[]> {
  await using _runner = await Runner.open({ home });
  for (let call = 0; call < 50; call++) await add(call, 0);
  const samples: number[] = [];
  for (let call = 0; call < counts.calls; call++) {
    const began = performance.now();
    await add(call, 1);
    samples.push(performance.now() - began);
  }
  return [{ label: 'a call of a calcfunction, stored', unit: 'ms', samples, goal: { kind: 'at most', value: 5 } }];
}

async function replayCalls(home: string): Promise<Figure[]> {
  await using profile = await profileAt(home);
  await submitMany(profile, AddMany, [counts.recorded]);
  const began = performance.now();
  {
    await using _worker = await startWorker(home);
    await until(async () => (await countOf(profile, 'finished')) === counts.recorded && (await isWaiting(profile)));
  }
  const rate = counts.recorded / ((performance.now() - began) / 1000);
  const samples: number[] = [];
  for (let run = 0; run < 3; run++) {
    await using _worker = await startWorker(home);
    // How long its thread takes to start is no part of it.
    await submitMany(profile, Sleeper, [run]);
    await until(async () => (await countOf(profile, 'waiting')) === run + 2);
    const at = Date.now();
    const woken = performance.now();
    await profile.store.updateTable('processes').set({ due_at: at, waiting_since: 0 }).where('id', '=', 1).execute();
    await until(() => isWaiting(profile, at));
    // It is written down that it waits when nothing has happened for a tenth of a second.
    samples.push((performance.now() - woken) / 1000 - 0.1);
  }
  return [
    { label: 'calls of a workflow, 50 at once', unit: 'tasks/s', samples: [rate] },
    { label: `replay of ${counts.recorded} calls`, unit: 's', samples, goal: { kind: 'at most', value: 1 } },
  ];
}

async function waitTogether(home: string): Promise<Figure[]> {
  await using profile = await profileAt(home);
  await submitMany(
    profile,
    Sleeper,
    Array.from({ length: counts.waiting }, (_, index) => index),
  );
  await using worker = await startWorker(home);
  const began = performance.now();
  await until(async () => (await countOf(profile, 'waiting')) === counts.waiting);
  const rate = counts.waiting / ((performance.now() - began) / 1000);
  const memory = await worker.memory();
  return [
    { label: 'workflows begun and put to sleep', unit: 'tasks/s', samples: [rate] },
    {
      label: `memory of a worker, ${counts.waiting} waiting workflows`,
      unit: 'MB',
      samples: [memory / 1e6],
      goal: { kind: 'at most', value: 200 },
    },
  ];
}

async function callChildren(home: string): Promise<Figure[]> {
  await using profile = await profileAt(home);
  await submitMany(
    profile,
    Parent,
    Array.from({ length: counts.parents }, (_, index) => index),
  );
  const began = performance.now();
  await using first = await startWorker(home, counts.workers);
  await using second = await startWorker(home, counts.workers);
  await until(async () => (await countOf(profile, 'finished')) === counts.parents * (children + 1));
  const rate = counts.parents / ((performance.now() - began) / 1000);
  const memories = await Promise.all([first, second].map((worker) => worker.memory()));
  return [
    { label: `parents with ${children} children each, to the end`, unit: 'tasks/s', samples: [rate] },
    { label: 'memory of a worker at their end', unit: 'MB', samples: memories.map((bytes) => bytes / 1e6) },
  ];
}

async function profileAt(home: string): Promise<Profile> {
  const profile = await openProfile({ home });
  await writeProfileSettings(locateProfile({ home }, {}), { modules: [module] });
  return profile;
}

async function submitMany(profile: Profile, definition: ProcessDefinition, values: readonly number[]): Promise<void> {
  for (let start = 0; start < values.length; start += 1_000) {
    const ready = await Promise.all(
      values
        .slice(start, start + 1_000)
        .map((count) => prepareProcess(profile, definition, { count }, { uuid: randomUUID() })),
    );
    await profile.store.transaction().execute(async (transaction) => {
      for (const one of ready) {
        const place = { parentId: null, lane: sharedLaneOf(one.uuid), module, begun: false };
        await storeProcess(transaction, one, place, Date.now());
      }
    });
  }
}

async function countOf({ store }: Profile, state: string): Promise<number> {
  const { count } = await store
    .selectFrom('processes')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('state', '=', state)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Does the first process wait, and has it begun to since a time? */
async function isWaiting({ store }: Profile, since = 0): Promise<boolean> {
  const columns = ['state', 'waiting_since'] as const;
  const row = await store.selectFrom('processes').select(columns).where('id', '=', 1).executeTakeFirstOrThrow();
  return row.state === 'waiting' && (row.waiting_since ?? 0) >= since;
}

async function until(isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 900_000;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error('that takes more than a quarter of an hour');
    await delay(20);
  }
}

interface Worker extends AsyncDisposable {
  /** Bytes that it has in memory. */
  memory(): Promise<number>;
}

async function startWorker(home: string, workers = 1): Promise<Worker> {
  const program = fileURLToPath(new URL('./process-worker.js', import.meta.url));
  // As the supervisor of a daemon starts them.
  const child: ChildProcess = fork(program, [home, String(workers)], { execArgv: ['--max-semi-space-size=4'] });
  const ended = once(child, 'exit');
  await Promise.race([once(child, 'message'), ended.then(() => Promise.reject(new Error('the worker has ended')))]);
  return {
    async memory() {
      child.send('memory');
      const [{ memory }] = (await once(child, 'message')) as [{ readonly memory: number }];
      return memory;
    },
    async [Symbol.asyncDispose]() {
      child.disconnect();
      await ended;
    },
  };
}
