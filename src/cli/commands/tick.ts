import { randomUUID } from 'node:crypto';
import { Engine } from '../../engine/engine.js';
import type { Profile } from '../../engine/profile.js';
import { messageOf } from '../../errors.js';
import type { EventData } from '../../store/events.js';
import { claimLease, leaseHolder, releaseLease, renewLease } from '../../store/leases.js';
import type { Store } from '../../store/store.js';
import { defineCommand, json } from '../command.js';
import { interruption } from '../interruption.js';
import { counted } from '../process-text.js';
import { settle } from '../settle.js';
import { print, printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: {},
  options: { json },
  examples: [
    ['$0', 'do everything that is due'],
    ['*/5 * * * * wherry tick', 'a line for crontab'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const summary = await passAlone(profile);
      if (summary === undefined) return 0;
      if (given.json) printJson(summary);
      else print(sentence(summary));
      return 0;
    }),
});

/** What one pass did, in numbers of processes. */
interface Summary {
  readonly uploaded: number;
  readonly submitted: number;
  readonly retrieved: number;
  readonly finished: number;
  readonly failed: number;
  readonly excepted: number;
  readonly killed: number;
  /** Whose work directories were removed. */
  readonly cleaned: number;
  /** Processes that have not ended, and those of them that are paused. */
  readonly left: number;
  readonly paused: number;
  /** Computers that other drivers hold. */
  readonly elsewhere: number;
}

/** Milliseconds. */
const lease = { name: 'tick', duration: 60_000, renewal: 15_000 } as const;

/** Runs one pass unless another is running; then it says so. */
async function passAlone(profile: Profile): Promise<Summary | undefined> {
  const { store } = profile;
  const claimed = await claimLease(store, lease.name, randomUUID(), Date.now(), lease.duration);
  if (claimed === undefined) {
    const holder = await leaseHolder(store, lease.name, Date.now());
    const who = holder === undefined ? '' : ` (pid ${holder.pid} on ${holder.host})`;
    say(`another pass is running${who}; nothing was done`);
    return undefined;
  }
  // A pass outlives its lease only if this program is stopped; whoever takes over then is right.
  const renewal = setInterval(() => {
    renewLease(store, claimed, Date.now(), lease.duration).catch((error: unknown) =>
      process.emitWarning(`the lease of this pass could not be renewed: ${messageOf(error)}`),
    );
  }, lease.renewal);
  try {
    return await pass(profile);
  } finally {
    clearInterval(renewal);
    await releaseLease(store, claimed);
  }
}

async function pass(profile: Profile): Promise<Summary> {
  const { store } = profile;
  const before = await store
    .selectFrom('events')
    .select((row) => row.fn.max('id').as('id'))
    .executeTakeFirst();
  const touched = new Set<number>();
  let elsewhere: readonly number[] = [];
  {
    using interrupted = interruption();
    const { home, profile: name } = profile.location;
    await using engine = new Engine(profile, {
      hooks: [{ onChange: ({ id }) => touched.add(id) }],
      codeThread: { home, profile: name, onProblem: (problem) => say(messageOf(problem)) },
    });
    await engine.pass(interrupted.signal);
    await settle(engine, interrupted.signal);
    elsewhere = engine.foreignDrivers.map(({ computerId }) => computerId);
  }
  const happened = await countEvents(store, before?.id ?? 0, touched);
  const cleaned = await countCleaned(store, before?.id ?? 0, elsewhere);
  return { ...happened, cleaned, ...(await countLeft(store)), elsewhere: elsewhere.length };
}

/** What has happened where one stage follows the other. */
const verbOfStep: Readonly<Record<string, 'uploaded' | 'submitted' | 'retrieved'>> = {
  'upload submit': 'uploaded',
  'upload gather': 'uploaded',
  'submit update': 'submitted',
  'retrieve parse': 'retrieved',
};

/** Counts what became of the processes that this pass touched; other drivers may have written meanwhile. */
async function countEvents(store: Store, after: number, touched: ReadonlySet<number>) {
  const counts = { uploaded: 0, submitted: 0, retrieved: 0, finished: 0, failed: 0, excepted: 0, killed: 0 };
  const events = await store
    .selectFrom('events')
    .select(['process_id', 'type', 'data'])
    .where('id', '>', after)
    .where('type', 'in', ['process.stage', 'process.state'])
    .execute();
  for (const { process_id, type, data } of events) {
    if (process_id === null || !touched.has(process_id)) continue;
    if (type === 'process.stage') {
      const { from, to } = JSON.parse(data) as EventData['process.stage'];
      const verb = verbOfStep[`${from} ${to}`];
      if (verb !== undefined) counts[verb]++;
      continue;
    }
    const { to, exitStatus } = JSON.parse(data) as EventData['process.state'];
    if (to === 'finished') counts[exitStatus === 0 ? 'finished' : 'failed']++;
    else if (to === 'excepted' || to === 'killed') counts[to]++;
  }
  return counts;
}

/** Counts the directories that were removed, but for those on computers of other drivers. */
async function countCleaned(store: Store, after: number, elsewhere: readonly number[]): Promise<number> {
  const rows = await store
    .selectFrom('events')
    .innerJoin('processes', 'processes.id', 'events.process_id')
    .select('processes.computer_id')
    .where('events.id', '>', after)
    .where('type', '=', 'process.cleaned')
    .execute();
  return rows.filter(({ computer_id }) => !elsewhere.includes(computer_id ?? 0)).length;
}

async function countLeft(store: Store): Promise<{ left: number; paused: number }> {
  const living = await store
    .selectFrom('processes')
    .select((row) => [row.fn.countAll<number>().as('count'), row.fn.sum<number | null>('paused').as('paused')])
    .where('ended_at', 'is', null)
    .executeTakeFirstOrThrow();
  return { left: Number(living.count), paused: Number(living.paused ?? 0) };
}

function sentence(summary: Summary): string {
  const { uploaded, submitted, retrieved, finished, failed, excepted, killed, cleaned, left, paused, elsewhere } =
    summary;
  const done = Object.entries({ uploaded, submitted, retrieved, finished, failed, excepted, killed, cleaned })
    .filter(([, number]) => number > 0)
    .map(([word, number]) => `${number} ${word}`);
  const parts = [
    done.length === 0 ? 'nothing was due' : done.join(', '),
    `${left} left${paused > 0 ? ` (${paused} paused: wherry ps --state paused)` : ''}`,
    ...(elsewhere > 0 ? [`${counted(elsewhere, 'computer is', 'computers are')} driven elsewhere`] : []),
  ];
  return parts.join('; ');
}
