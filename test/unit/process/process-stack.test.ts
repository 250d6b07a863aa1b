import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { currentProcess, processStack, runInProcess } from '../../../src/process/process-stack.js';

const reference = (id: number) => ({ id, uuid: `uuid-${id}`, name: 'shell' });
const ids = () => processStack().map(({ id }) => id);

describe('the process stack', () => {
  it('is empty outside of all processes, before and after', async () => {
    expect([currentProcess(), ids()]).toEqual([undefined, []]);
    await runInProcess(reference(1), async () => nextTurn());
    expect([currentProcess(), ids()]).toEqual([undefined, []]);
  });

  it('has the innermost process on top, and the outer one again afterwards', async () => {
    await runInProcess(reference(1), async () => {
      await nextTurn();
      const inner = await runInProcess(reference(2), async () => {
        await nextTurn();
        return ids();
      });
      expect(inner).toEqual([1, 2]);
      expect(currentProcess()).toEqual(reference(1));
    });
  });

  it('is right in three processes whose awaits interleave', async () => {
    const order: number[] = [];
    const work = (id: number) =>
      runInProcess(reference(id), async () => {
        for (let step = 0; step < 5; step++) {
          order.push(id);
          expect(ids()).toEqual([id]);
          if (step === 2)
            expect(await runInProcess(reference(id * 10), async () => nextTurn(ids()))).toEqual([id, id * 10]);
          await nextTurn();
        }
      });
    await Promise.all([work(1), work(2), work(3)]);
    expect(order.slice(0, 6)).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('survives an error inside', async () => {
    await runInProcess(reference(1), async () => {
      await expect(
        runInProcess(reference(2), async () => {
          await nextTurn();
          throw new Error('no');
        }),
      ).rejects.toThrow('no');
      expect(ids()).toEqual([1]);
    });
  });

  it('follows into timers and promises that outlive the process', async () => {
    let late: Promise<number[]> = Promise.resolve([]);
    runInProcess(reference(1), () => {
      late = nextTurn().then(ids);
    });
    expect(ids()).toEqual([]);
    expect(await late).toEqual([1]);
  });
});
