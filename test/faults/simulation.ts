import type { EventRow, ProcessRow, SubmissionRow } from '../../src/store/tables.js';
import type { SimulatedCluster } from '../../testing/index.js';
import { runDriver } from './drivers.js';
import { watch } from './moments.js';
import { act, lookAfter, pauseComputer, submitByHand } from './people.js';
import type { Plan } from './plan.js';
import { createWorld, type World } from './world.js';

/** A plan that was carried out to its end. */
export interface Outcome {
  readonly cluster: SimulatedCluster;
  readonly rows: readonly ProcessRow[];
  readonly submissions: readonly SubmissionRow[];
  readonly events: readonly EventRow[];
  /** Text of the retrieved `stdout.txt` of each process, if there is one. */
  readonly outputs: ReadonlyMap<number, string>;
  /** How many queries of the store each driver made, in the order in which they began. */
  readonly queries: readonly number[];
  /** What was found to be wrong on the way. */
  readonly wrong: readonly string[];
}

/** Carries out a plan on a store of its own until every process has ended. */
export async function simulate(plan: Plan): Promise<Outcome> {
  await using world = await createWorld(plan);
  const wrong: string[] = [];
  try {
    await world.clock.during(carryOut(world, plan, wrong));
  } catch (error) {
    const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
    wrong.push(`${reason}\n${JSON.stringify(await world.profile.store.selectFrom('computers').selectAll().execute())}`);
  }
  return await outcomeOf(world, [...wrong, ...world.leasehold.violations, ...world.line.violations]);
}

/** Everybody at once; when all has ended, or something has gone wrong, they are told to stop. */
async function carryOut(world: World, plan: Plan, wrong: string[]): Promise<void> {
  const over = new AbortController();
  const { signal } = over;
  const everybody = [
    watch(world, plan, wrong, signal).finally(() => over.abort()),
    act(world, plan, signal),
    lookAfter(world, signal),
    submitByHand(world, plan, signal),
    pauseComputer(world, plan, signal),
    ...plan.drivers.map((driver) => runDriver(world, plan, driver, signal)),
  ];
  const ends = await Promise.allSettled(
    everybody.map((each) =>
      each.catch((error: unknown) => {
        over.abort();
        throw error;
      }),
    ),
  );
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function outcomeOf({ profile, cluster, lives }: World, wrong: readonly string[]): Promise<Outcome> {
  const { store, repository } = profile;
  const texts = await store
    .selectFrom('files')
    .select(['process_id', 'sha256'])
    .where('role', '=', 'outputs')
    .where('path', '=', 'stdout.txt')
    .execute();
  const outputs = new Map<number, string>();
  for (const { process_id, sha256 } of texts) outputs.set(process_id, (await repository.read(sha256)).toString());
  return {
    cluster,
    rows: await store.selectFrom('processes').selectAll().orderBy('id').execute(),
    submissions: await store.selectFrom('submissions').selectAll().orderBy('id').execute(),
    events: await store.selectFrom('events').selectAll().orderBy('id').execute(),
    outputs,
    queries: lives.map(({ queries }) => queries),
    wrong,
  };
}
