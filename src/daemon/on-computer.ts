import { setTimeout as delay } from 'node:timers/promises';
import { borrow, ComputerTaken } from '../engine/computer-access.js';
import { type ComputerTask, carryOutTask, type TaskResult } from '../engine/computer-task.js';
import type { Profile } from '../engine/profile.js';
import type { CheckResult } from '../engine/test-computer.js';
import { WherryError } from '../errors.js';
import { leaseHolder } from '../store/leases.js';
import type { ComputerRow } from '../store/tables.js';
import { askWorker } from './client.js';

/** The holder may change between two questions; milliseconds between tries. */
const tries = { count: 5, pause: 300 } as const;

/**
 * Carries out a task on a computer: under the computer's lease, or, where a worker of the daemon has it, by that worker
 * on the connection that it has. So there is one speaker at any time.
 * Errors: ComputerTaken when another program has the computer; those of the task.
 * @param onCheck told of the checks of a test; all at once when a worker makes them
 */
export async function onComputer<Task extends ComputerTask>(
  { store, location }: Profile,
  computer: Pick<ComputerRow, 'id' | 'label'>,
  task: Task,
  signal: AbortSignal,
  onCheck: (result: CheckResult) => void = () => undefined,
): Promise<TaskResult[Task['kind']]> {
  const row = await store.selectFrom('computers').selectAll().where('id', '=', computer.id).executeTakeFirstOrThrow();
  let told = 0;
  /** Tells each check once, however often the test is begun. */
  const teller = () => {
    let index = 0;
    return (result: CheckResult) => {
      index += 1;
      if (index <= told) return;
      told = index;
      onCheck(result);
    };
  };
  for (let left = tries.count; ; left--) {
    try {
      const found = await carryOutTask(store, row.id, task, borrow(store, row), signal, teller());
      return found as TaskResult[Task['kind']];
    } catch (error) {
      if (!(error instanceof ComputerTaken)) throw error;
      const { holder } = error;
      const order = { pid: holder?.pid ?? 0, computerId: row.id, task };
      const reply = await askWorker(location, order, signal).catch((refusal: unknown) => {
        // It has just given the computer back, or has ended.
        if (refusal instanceof WherryError && refusal.code === 'back-pressure' && left > 1) return 'again' as const;
        throw refusal;
      });
      if (reply === undefined) {
        // No worker of the daemon has it, unless the holder has changed between the two questions.
        const now = await leaseHolder(store, `computer:${row.id}`, Date.now());
        if (left <= 1 || now?.owner === holder?.owner) throw error;
      } else if (reply !== 'again') {
        if (task.kind === 'test') (reply.result as CheckResult[]).forEach(teller());
        return reply.result as TaskResult[Task['kind']];
      }
      await delay(tries.pause, undefined, { signal });
    }
  }
}
