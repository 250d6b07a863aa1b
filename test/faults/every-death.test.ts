import { expect, it } from 'vitest';
import type { Fate } from './life.js';
import { calm, type Plan } from './plan.js';
import { simulate } from './simulation.js';
import { violations } from './violations.js';

/** Two jobs of which one has to wait for the other. */
const plan: Plan = {
  ...calm,
  jobs: [
    { seconds: 20, exitCode: 0 },
    { seconds: 10, exitCode: 3 },
  ],
  maxQueued: 1,
  longestWait: 0,
  minPollInterval: 15_000,
  drivers: [{ name: 'worker', begins: 0, fates: [], heartbeat: 50_000 }],
};

/** With a few seeds only every so many queries are tried; with many, all of them. */
const stride = Number(process.env.WHERRY_SEEDS ?? 0) >= 1000 ? 1 : 16;

/** Plays the plan once for each query of its first driver, which meets its fate there. */
async function atEveryQuery(base: Plan, fateAt: (query: number) => Fate): Promise<void> {
  const undisturbed = await simulate(base);
  const [queries = 0] = undisturbed.queries;
  expect(queries).toBeGreaterThan(50);
  for (let query = 1; query <= queries; query += stride) {
    const [first, ...others] = base.drivers;
    if (first === undefined) throw new Error('a plan without drivers');
    const outcome = await simulate({ ...base, drivers: [{ ...first, fates: [fateAt(query)] }, ...others] });
    expect(violations(base, outcome), `query ${query}\n${outcome.cluster.log.join('\n')}`).toEqual([]);
  }
}

it('ends right wherever its driver dies', async () => {
  await atEveryQuery(plan, (afterQueries) => ({ kind: 'dies', afterQueries }));
}, 600_000);

it('ends right wherever its driver dies while a process is killed', async () => {
  const killing: Plan = { ...plan, acts: [{ at: 300, kind: 'kill', job: 0 }] };
  await atEveryQuery(killing, (afterQueries) => ({ kind: 'dies', afterQueries }));
}, 600_000);

it('ends right wherever its driver freezes past its lease, and another goes on meanwhile', async () => {
  const drivers = [...plan.drivers, { name: 'second', begins: 1_000, fates: [], heartbeat: 50_000 }];
  await atEveryQuery({ ...plan, drivers }, (afterQueries) => ({ kind: 'freezes', afterQueries, lasts: 200_000 }));
}, 600_000);

it('writes nothing after it has frozen past its lease, even where nobody else could go on', async () => {
  const drivers = [...plan.drivers, { name: 'second', begins: 1_000, fates: [], heartbeat: 50_000 }];
  const faults = [{ on: 'open' as const, from: 5_000, until: 400_000, fault: { kind: 'hang' as const } }];
  const freeze = (afterQueries: number): Fate => ({ kind: 'freezes', afterQueries, lasts: 200_000 });
  await atEveryQuery({ ...plan, drivers, faults }, freeze);
}, 600_000);
