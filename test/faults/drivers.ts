import { Engine } from '../../src/engine/engine.js';
import { draw, seededRandom } from '../../testing/index.js';
import { Life } from './life.js';
import type { Plan, PlannedDriver } from './plan.js';
import type { World } from './world.js';

/** Milliseconds: long, for steps are what a run costs. */
const lease = 120_000;

/** Lets a driver live, and another in its place after each death, until everything has ended or the signal comes. */
export async function runDriver(world: World, plan: Plan, driver: PlannedDriver, over: AbortSignal): Promise<void> {
  const { clock } = world;
  const began = clock.now();
  await clock.sleep(began + driver.begins, over);
  for (let number = 0; !over.aborted; number++) {
    const life = new Life(`${driver.name}-${number + 1}`, driver.fates[number], world);
    world.lives.push(life);
    await life.live(() => drive(world, plan, driver, life, over));
    if (driver.passEvery === undefined && !life.isDead) return;
    const rest = driver.passEvery ?? draw(plan.seed, driver.name, number) * 40_000;
    await clock.sleep(clock.now() + rest, over);
  }
}

async function drive(
  { profile, clock }: World,
  { seed }: Plan,
  driver: PlannedDriver,
  life: Life,
  over: AbortSignal,
): Promise<void> {
  const random = seededRandom(Math.floor(draw(seed, 'driver', life.name) * 2 ** 32));
  const store = life.storeOf(profile.store);
  const engine = new Engine(
    { ...profile, store, [Symbol.asyncDispose]: async () => undefined },
    {
      now: clock.now,
      sleep: async (until, signal) => {
        await clock.sleep(until, signal);
        await life.thaw();
      },
      heartbeat: driver.heartbeat,
      lease,
      random,
      nonce: () => Math.floor(random() * 2 ** 40).toString(16),
    },
  );
  const signal = AbortSignal.any([life.death, over]);
  try {
    if (driver.passEvery === undefined) await engine.drive({ signal, until: () => over.aborted });
    else await engine.pass(signal);
  } finally {
    await engine[Symbol.asyncDispose]();
  }
}
