import { describe, expect, it } from 'vitest';
import type { LaneTools } from '../../../src/engine/driver-tools.js';
import { CodeThreadDriver } from '../../../src/engine/lanes/code-thread-driver.js';
import { errorOf, type LaneOrder, type LaneState, wordsOf } from '../../../src/engine/lanes/code-thread-messages.js';
import { WherryError } from '../../../src/errors.js';

const lease = { name: 'lane:shared:0', owner: 'me', epoch: 1 };
const idle: LaneState = { steps: 0, mustSettle: false, holdsOn: false, stopped: undefined };
const aborted = new WherryError('aborted', 'the driver ends');

/** A driver whose thread is this test. */
function begin(now = () => 0) {
  const orders: LaneOrder[] = [];
  const late: number[] = [];
  const seen = { wakes: 0, troubles: [] as string[] };
  const tools = {
    now,
    wake: () => {
      seen.wakes += 1;
    },
    storeTrouble: (error: WherryError) => seen.troubles.push(error.message),
  } as unknown as LaneTools;
  const port = {
    send: (order: LaneOrder) => {
      orders.push(order);
      return true;
    },
    late: (since: number) => late.push(since),
    stuck: () => driver.lose(aborted),
  };
  const driver = new CodeThreadDriver(tools, lease, 'shared:0', port);
  driver.begin(10);
  const answer = (outcome: { next?: number; error?: WherryError; state?: LaneState } = {}) =>
    driver.hear({
      type: 'answer',
      driver: 1,
      state: outcome.state ?? idle,
      next: outcome.next,
      error: outcome.error === undefined ? undefined : wordsOf(outcome.error),
    });
  return { driver, orders, late, seen, answer, types: () => orders.map(({ type }) => type) };
}

describe('a driver of a lane whose code runs in a thread', () => {
  it('tells the thread to step, and says what was told of the next time', async () => {
    const { driver, answer, types, seen } = begin(() => 1_000);
    answer();
    expect(await driver.step()).toBeUndefined();
    answer({ next: 5_000 });
    expect(seen.wakes).toBe(1);
    expect(await driver.step()).toBe(5_000);
    answer({ next: 5_000 });
    expect(seen.wakes).toBe(1);
    expect(types()).toEqual(['begin', 'step', 'step']);
  });

  it('never waits for a thread that does not answer, and steps once more when it does', async () => {
    const { driver, answer, types, late, seen } = begin();
    answer();
    for (let time = 0; time < 3; time++) await driver.step();
    expect(types()).toEqual(['begin', 'step']);
    expect(late).toHaveLength(2);
    answer();
    expect(seen.wakes).toBe(1);
    await driver.step();
    expect(types()).toEqual(['begin', 'step', 'step']);
  });

  it('counts as busy until the thread has answered', async () => {
    const { driver, answer } = begin();
    expect([driver.busy, driver.mustSettle, driver.holdsOn]).toEqual([true, true, true]);
    answer();
    expect([driver.busy, driver.mustSettle, driver.holdsOn]).toEqual([false, false, false]);
    driver.drain();
    expect(driver.mustSettle).toBe(true);
    answer({ state: { ...idle, steps: 1, mustSettle: true, holdsOn: true } });
    expect([driver.steps, driver.mustSettle]).toEqual([1, true]);
    driver.see(idle);
    expect(driver.mustSettle).toBe(false);
  });

  it('passes on a database that does not answer, and fails with any other error of the thread', async () => {
    const { driver, answer, seen } = begin();
    answer();
    await driver.step();
    answer({ error: new WherryError('store-failed', 'away', { transient: true }) });
    expect(seen.troubles).toEqual(['away']);
    await driver.step();
    answer({ error: new WherryError('internal', 'a defect') });
    await expect(driver.step()).rejects.toMatchObject({ code: 'internal', message: 'a defect' });
    await driver.step();
  });

  it('stops when its counterpart has stopped by itself', () => {
    const { driver, answer, seen } = begin();
    answer({ state: { ...idle, stopped: wordsOf(new WherryError('lease-lost', 'taken over')) } });
    expect(driver.stopped.reason).toMatchObject({ code: 'lease-lost' });
    expect(seen.wakes).toBe(1);
  });

  it('tells its counterpart to stop, once, and waits for its answer', async () => {
    const { driver, answer, types } = begin();
    answer();
    driver.abandon(aborted);
    let isStopped = false;
    const stopped = driver.stop(aborted).then(() => {
      isStopped = true;
    });
    await Promise.resolve();
    expect(isStopped).toBe(false);
    answer();
    await stopped;
    expect(types()).toEqual(['begin', 'stop']);
    expect(driver.isOver).toBe(true);
  });

  it('gives the thread up that does not even answer to that', { timeout: 20_000 }, async () => {
    const { driver } = begin();
    await driver.stop(aborted);
    expect(driver.busy).toBe(false);
  });

  it('does not wait for a thread that is gone', async () => {
    const { driver, types, seen } = begin();
    const stopped = driver.stop(aborted);
    driver.lose(new WherryError('computation-failed', 'the thread has ended'));
    await stopped;
    expect(seen.wakes).toBe(1);
    expect([driver.busy, driver.mustSettle, driver.holdsOn]).toEqual([false, false, false]);
    await driver.step();
    driver.drain();
    expect(types()).toEqual(['begin', 'stop']);
  });
});

it('an error comes to the other thread with all that matters', () => {
  const error = new WherryError('store-failed', 'away', { transient: true, hint: 'wait' });
  expect(errorOf(structuredClone(wordsOf(error)))).toMatchObject({
    code: 'store-failed',
    message: 'away',
    transient: true,
    hint: 'wait',
    stack: error.stack,
  });
  expect(errorOf(wordsOf('only words', 'computation-failed'))).toMatchObject({ code: 'computation-failed' });
});
