import { expect, it } from 'vitest';
import { Engine } from '../../src/engine/engine.js';
import { seededRandom } from '../../testing/index.js';
import { calm } from './plan.js';
import { createWorld } from './world.js';

const day = 86_400_000;
/** Between two drivers, so that there are many of them. */
const pause = 8 * 3_600_000;

it('a process that waits for forty days goes on, with one driver after another', async () => {
  const jobs = [{ seconds: (40 * day) / 1000, exitCode: 0, walltime: (41 * day) / 1000 }];
  await using world = await createWorld({ ...calm, jobs, longestWait: 1_000, minPollInterval: 900_000 });
  const { clock, profile, cluster } = world;
  const signal = new AbortController().signal;
  let drivers = 0;
  const ended = async () => {
    const { ended_at } = await profile.store.selectFrom('processes').select('ended_at').executeTakeFirstOrThrow();
    return ended_at !== null;
  };
  const passes = async () => {
    for (const random = seededRandom(1); !(await ended()); drivers++) {
      const options = { now: clock.now, sleep: clock.sleep, random, nonce: () => 'n' };
      await using engine = new Engine(profile, options);
      await engine.pass(signal);
      await clock.sleep(clock.now() + pause, signal);
    }
  };
  await clock.during(passes());
  const row = await profile.store.selectFrom('processes').selectAll().executeTakeFirstOrThrow();
  expect(row).toMatchObject({ state: 'finished', exit_status: 0, attempts: 0 });
  expect((row.ended_at ?? 0) - row.created_at).toBeGreaterThan(40 * day);
  expect(drivers).toBeGreaterThan(100);
  expect([...cluster.queue.jobs.values()].map(({ runs }) => runs)).toEqual([1]);
  expect(await profile.store.selectFrom('submissions').select('outcome').execute()).toEqual([{ outcome: 'accepted' }]);
}, 60_000);
