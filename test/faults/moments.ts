import { explain } from '../../src/engine/explain.js';
import { terminalStates } from '../../src/process/states.js';
import type { ProcessRow } from '../../src/store/tables.js';
import { seededRandom } from '../../testing/index.js';
import type { Plan } from './plan.js';
import type { World } from './world.js';

/** Virtual time after which a run is taken to hang. */
const patience = 72 * 3_600_000;
/** How long what was announced may not happen: a deadline of a transfer, the end of a dead driver's lease, a pass. */
const slack = 900_000;

/** What is looked at again to see whether anything has happened. */
interface Announced {
  readonly by: number;
  readonly seen: string;
}

/**
 * Looks at what goes on at random moments: nothing waits without a reason, and nothing is forgotten. Resolves when all
 * processes have ended. Errors: an Error when they do not.
 */
export async function watch(world: World, { seed }: Plan, wrong: string[], over: AbortSignal): Promise<void> {
  const { clock } = world;
  const random = seededRandom(seed + 2);
  const began = clock.now();
  const announced = new Map<number, Announced>();
  for (let number = 1; !over.aborted && (await isAnyAlive(world)); number++) {
    if (clock.now() - began > patience) throw new Error(`not ended in time: ${JSON.stringify(await livingOf(world))}`);
    if (number % 3 === 0) for (const row of await livingOf(world)) await look(world, row, announced, wrong);
    await clock.sleep(clock.now() + 5_000 + random() * Math.min(60_000, 8_000 * number), over);
  }
}

async function isAnyAlive({ profile }: World): Promise<boolean> {
  const row = await profile.store
    .selectFrom('processes')
    .select('id')
    .where('state', 'not in', terminalStates)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

function livingOf({ profile }: World): Promise<ProcessRow[]> {
  return profile.store.selectFrom('processes').selectAll().where('state', 'not in', terminalStates).execute();
}

async function look(world: World, row: ProcessRow, announced: Map<number, Announced>, wrong: string[]): Promise<void> {
  const { profile, clock, computer } = world;
  const now = clock.now();
  const { waitingFor, since, next, nextAt } = await explain(profile.store, row, now);
  const about = `process ${row.id} (${row.state} ${row.stage}) at ${now}`;
  if (waitingFor === null || waitingFor === '') wrong.push(`${about} waits for nothing`);
  if (next === '') wrong.push(`${about} does not know what comes next`);
  if (since === null || Date.parse(since) > now) wrong.push(`${about} waits since ${since}`);
  const isForSomebody = nextAt === null && /nothing by itself|when there is room/.test(next);
  if (nextAt === null && !isForSomebody) wrong.push(`${about} waits without a time: ${waitingFor}, next ${next}`);
  const { polled_at, opened_at } = await profile.store
    .selectFrom('computers')
    .select(['polled_at', 'opened_at'])
    .where('id', '=', computer.id)
    .executeTakeFirstOrThrow();
  const seen = JSON.stringify([row, polled_at, opened_at]);
  const before = announced.get(row.id);
  if (before !== undefined && before.seen === seen) {
    if (now > before.by + slack) throw new Error(`${about} is forgotten: ${waitingFor}, next ${next} at ${nextAt}`);
    return;
  }
  announced.set(row.id, { by: nextAt === null ? Number.POSITIVE_INFINITY : Date.parse(nextAt), seen });
}
