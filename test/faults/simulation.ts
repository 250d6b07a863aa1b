import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { createCalcJobs } from '../../src/calcjob/create.js';
import { computerSchema } from '../../src/config/computer.js';
import { jobSchema } from '../../src/config/job.js';
import { addComputer } from '../../src/engine/computers.js';
import { Engine } from '../../src/engine/engine.js';
import { play } from '../../src/engine/intents.js';
import { loadComputer } from '../../src/engine/loaded-computer.js';
import { openProfile, type Profile } from '../../src/engine/profile.js';
import { terminalStates } from '../../src/process/states.js';
import type { ComputerRow, ProcessRow } from '../../src/store/tables.js';
import { SimulatedCluster, seededRandom, simulatedTransport } from '../../testing/index.js';
import { Death } from './mortal-store.js';
import type { Plan } from './plan.js';

/** A plan that was carried out to its end. */
export interface Outcome {
  readonly cluster: SimulatedCluster;
  readonly rows: readonly ProcessRow[];
  /** Text of the retrieved `stdout.txt` of each process, if there is one. */
  readonly outputs: ReadonlyMap<number, string>;
}

/** Virtual time after which a run is taken to hang. */
const patience = 48 * 3_600_000;

/** Carries out a plan on a real store: one driver after the other until every process has ended. */
export async function simulate(plan: Plan): Promise<Outcome> {
  const directory = await mkdtemp(path.join(tmpdir(), 'wherry-faults-'));
  try {
    await using profile = await openProfile({ home: path.join(directory, 'home') });
    // Nothing here outlives the loss of power.
    await sql`pragma synchronous = off`.execute(profile.store);
    const cluster = new SimulatedCluster(plan);
    const computer = await computerOf(profile, plan, cluster, directory);
    const rows = await submit(profile, plan, computer, cluster);
    await drive(profile, plan, cluster, directory);
    const ended = await Promise.all(rows.map(({ id }) => rowOf(profile, id)));
    const outputs = new Map<number, string>();
    for (const { id } of ended) {
      const text = await stdoutOf(profile, id);
      if (text !== undefined) outputs.set(id, text);
    }
    return { cluster, rows: ended, outputs };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function computerOf(
  { store }: Profile,
  { dialect, maxQueued, maxChannels }: Plan,
  cluster: SimulatedCluster,
  directory: string,
): Promise<ComputerRow> {
  const file = path.join(directory, 'transport.mjs');
  Object.assign(globalThis, { [directory]: simulatedTransport(cluster) });
  await writeFile(file, `export default globalThis[${JSON.stringify(directory)}];\n`);
  const config = computerSchema.parse({
    label: 'simulated',
    transport: file,
    scheduler: dialect.name,
    workDirectory: '/scratch/wherry',
    limits: { maxQueued, maxChannels, minPollInterval: 20 },
  });
  const row = await addComputer(store, config);
  // Modules are loaded beforehand: the virtual clock does not wait for that.
  await loadComputer(row);
  return row;
}

async function submit(
  profile: Profile,
  { jobs }: Plan,
  computer: ComputerRow,
  { clock }: SimulatedCluster,
): Promise<ProcessRow[]> {
  const prepared = jobs.map(({ seconds, exitCode }, index) => ({
    job: jobSchema.parse({
      command: ['simulate', '--seconds', `${seconds}`, '--exit', `${exitCode}`, '--say', `job-${index}`],
      retrieve: ['stdout.txt'],
    }),
    computer,
    files: [],
  }));
  return createCalcJobs({ ...profile, now: clock.now }, prepared);
}

async function drive(profile: Profile, plan: Plan, cluster: SimulatedCluster, directory: string): Promise<void> {
  const { clock } = cluster;
  const random = seededRandom(plan.seed + 1);
  const end = clock.now() + patience;
  for (const lifetime of [...plan.deaths, Number.POSITIVE_INFINITY]) {
    const abort = new AbortController();
    const death = new Death(lifetime, () => {
      cluster.log.push('the driver dies');
      abort.abort();
      cluster.loseConnections();
    });
    const engine = new Engine(
      { ...profile, store: death.storeOf(profile.store), [Symbol.asyncDispose]: async () => undefined },
      {
        now: clock.now,
        sleep: clock.sleep,
        heartbeat: 8_000,
        random,
        nonce: () => Math.floor(random() * 2 ** 40).toString(16),
      },
    );
    const until = async () => {
      if (clock.now() > end)
        throw new Error(`not ended in time: ${await stateOf(profile)}\n${cluster.log.slice(-60).join('\n')}`);
      return (await playAndCount(profile, clock.now())) === 0;
    };
    try {
      await clock.during(engine.drive({ signal: abort.signal, until }));
    } catch (error) {
      if (!death.happened) throw error;
    } finally {
      await clock.during(
        engine[Symbol.asyncDispose]().catch((error: unknown) => {
          if (!death.happened) throw error;
        }),
      );
    }
    if (!death.happened) break;
  }
  delete (globalThis as Record<string, unknown>)[directory];
}

/** Somebody looks after paused processes and lets them go on. */
async function playAndCount({ store }: Profile, now: number): Promise<number> {
  const rows = await store.selectFrom('processes').selectAll().where('state', 'not in', terminalStates).execute();
  for (const row of rows) if (row.paused === 1 && now - (row.paused_at ?? 0) > 600_000) await play(store, row, now);
  return rows.length;
}

async function stateOf({ store }: Profile): Promise<string> {
  const rows = await store.selectFrom('processes').selectAll().where('state', 'not in', terminalStates).execute();
  return JSON.stringify({ rows, computers: await store.selectFrom('computers').selectAll().execute() }, null, 1);
}

function rowOf({ store }: Profile, id: number): Promise<ProcessRow> {
  return store.selectFrom('processes').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}

async function stdoutOf({ store, repository }: Profile, id: number): Promise<string | undefined> {
  const file = await store
    .selectFrom('files')
    .selectAll()
    .where('process_id', '=', id)
    .where('role', '=', 'outputs')
    .where('path', '=', 'stdout.txt')
    .executeTakeFirst();
  return file === undefined ? undefined : (await repository.read(file.sha256)).toString();
}
