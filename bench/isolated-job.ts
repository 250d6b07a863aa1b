import { Engine } from '../src/engine/engine.js';
import type { EventData } from '../src/store/events.js';
import type { ComputerRow, ProcessRow } from '../src/store/tables.js';
import { startProfile, type TestProfile } from '../test/rigs/profile.js';
import { startSlurm } from '../test/rigs/slurm.js';
import { type Sshd, startSshd } from '../test/rigs/sshd.js';
import { delayedWay } from './delayed-server.js';
import type { Figure, Measurement } from './measurement.js';

const roundTrip = 50;
const rounds = 7;

/** What one trivial job costs where the way is long. */
export const isolatedJob: Measurement = {
  name: 'isolated-job',
  title: `one isolated trivial job at a round trip of ${roundTrip} ms`,
  async run() {
    return {
      setUp: [
        'a proxy holds bytes back for 25 ms in each direction; minPollInterval 1s, safeOpenInterval 0s',
        "overhead = (end - creation) - stage `update` + duration of the listing that saw the end, all from the store's " +
          'events: the wait for the next listing and the job itself are left out, the listing is not',
        'with the connection: a new driver each time; on an open one: the same driver takes the next job',
        `${rounds} runs of each`,
      ],
      figures: [...(await onDirect()), ...(await onSlurm())],
    };
  },
};

async function onDirect(): Promise<Figure[]> {
  await using sshd = await startSshd();
  return await measure(sshd, 'direct');
}

async function onSlurm(): Promise<Figure[]> {
  await using slurm = await startSlurm();
  await using sshd = await startSshd({ environment: slurm.environment });
  return await measure(sshd, 'slurm');
}

async function measure(sshd: Sshd, scheduler: string): Promise<Figure[]> {
  await using rig = await startProfile();
  await using way = await delayedWay(sshd, roundTrip);
  const computer = await rig.addComputer({
    label: scheduler,
    transport: 'ssh',
    connection: way.connection,
    scheduler,
    workDirectory: `${sshd.home}/wherry`,
    limits: { minPollInterval: 1, safeOpenInterval: 0 },
  });
  const opening: number[] = [];
  const open: number[] = [];
  {
    // The first job of a computer pays for what is made once.
    await using engine = new Engine(rig.profile);
    await once(rig, computer, engine);
  }
  for (let round = 0; round < rounds; round++) {
    await using engine = new Engine(rig.profile);
    opening.push(await once(rig, computer, engine));
    open.push(await once(rig, computer, engine));
  }
  return [
    { label: `${scheduler}: connection open`, unit: 's', samples: open, goal: { kind: 'at most', value: 1 } },
    { label: `${scheduler}: with the connection`, unit: 's', samples: opening, goal: { kind: 'at most', value: 1.5 } },
  ];
}

async function once(rig: TestProfile, computer: ComputerRow, engine: Engine): Promise<number> {
  const { id } = await rig.submit(computer, { command: ['true'] });
  await engine.drive({
    signal: AbortSignal.timeout(60_000),
    until: async () => (await rig.row(id)).ended_at !== null,
  });
  const row = await rig.row(id);
  if (row.exit_status !== 0) throw new Error(`the job ended badly: ${row.exit_message ?? row.waiting_for}`);
  return (await overheadOf(rig, row)) / 1000;
}

/** Milliseconds; see `setUp`. */
async function overheadOf({ profile }: TestProfile, row: ProcessRow): Promise<number> {
  const events = await profile.store.selectFrom('events').selectAll().orderBy('id').execute();
  const stages = events
    .filter((event) => event.process_id === row.id && event.type === 'process.stage')
    .map((event) => ({ at: event.at, ...(JSON.parse(event.data) as EventData['process.stage']) }));
  const submitted = stages.find(({ to }) => to === 'update');
  const ended = stages.find(({ from, to }) => from === 'update' && to !== 'update');
  const listing = events.filter(({ type, at }) => type === 'computer.polled' && at <= (ended?.at ?? 0)).at(-1);
  if (submitted === undefined || ended === undefined || listing === undefined) throw new Error('an event is missing');
  const { durationMs } = JSON.parse(listing.data) as EventData['computer.polled'];
  return (row.ended_at ?? 0) - row.created_at - (ended.at - submitted.at) + durationMs;
}
