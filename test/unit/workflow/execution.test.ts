import { describe, expect, it } from 'vitest';
import { type Batch, Execution } from '../../../src/workflow/execution.js';
import type { ProcessResult } from '../../../src/workflow/result.js';

/** Runs after so many microtasks. */
async function microtasks(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve();
}

function start(commit: (batch: Batch<undefined>) => Promise<void> = async () => undefined) {
  const batches: Batch<undefined>[] = [];
  const host = {
    now: () => 0,
    commit: async (batch: Batch<undefined>) => {
      batches.push(batch);
      await commit(batch);
    },
  };
  const execution = new Execution<undefined>(host, [], new Map());
  const child = (uuid: string) =>
    new Promise<string>((resolve) => {
      execution.call({ type: 'process', name: 'child', fingerprint: '', child: uuid }, { answer: () => resolve(uuid) });
    });
  return { execution, batches, child };
}

const result = (uuid: string) => ({ uuid }) as ProcessResult;

describe('an execution', () => {
  it('hears of every end, at whatever moment it comes', async () => {
    for (let moment = 0; moment < 40; moment++) {
      const { execution, child, batches } = start();
      let isTold = false;
      const done = execution.run(async () => {
        const both = Promise.all([child('a'), child('b')]);
        await child('first');
        isTold = true;
        return both;
      });
      await expect.poll(() => batches.length, { interval: 1 }).toBe(1);
      execution.ended('first', result('first'));
      while (!isTold) await new Promise((resolve) => setImmediate(resolve));
      execution.ended('a', result('a'));
      // What has been told last is being finished while the next word comes.
      await new Promise((resolve) => setImmediate(resolve));
      await microtasks(moment);
      execution.ended('b', result('b'));
      await done;
    }
  });

  it('is idle while it waits for the rest of what it waits for together', async () => {
    const { execution, child, batches } = start();
    const done = execution.run(async () => Promise.all([child('a'), child('b')]));
    await expect.poll(() => batches.length).toBe(1);
    execution.ended('a', result('a'));
    await expect.poll(() => execution.idle).toBe(true);
    expect(execution.awaited).toEqual(['b']);
    execution.ended('b', result('b'));
    await done;
    expect(batches.at(-1)?.records.map(({ type }) => type)).toEqual(['ended', 'ended']);
  });
});
