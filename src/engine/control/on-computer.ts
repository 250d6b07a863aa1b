import { setTimeout as delay } from 'node:timers/promises';
import type { Json } from '../../broker/communicator.js';
import { WherryError } from '../../errors.js';
import { leaseHolder } from '../../store/leases.js';
import type { ComputerRow, LeaseRow } from '../../store/tables.js';
import { borrow, ComputerTaken } from '../computer-access.js';
import { computerLease } from '../computer-lease.js';
import { type ComputerTask, carryOutTask, type TaskResult } from '../computer-task.js';
import type { Profile } from '../profile.js';
import type { CheckResult } from '../test-computer.js';
import { driverAddress } from './addresses.js';
import { mayBeHeard, openCommunicator } from './open-communicator.js';

/** The holder may change between two questions; milliseconds between tries. */
const tries = { count: 5, pause: 300 } as const;

/** Milliseconds for a task; large files take long. Ctrl-C ends it before. */
const patience = 6 * 3_600_000;

/** What a question fails with whose holder has just given the computer back, or has ended. */
const changing: ReadonlySet<string> = new Set(['back-pressure', 'unroutable', 'broker-lost']);

/**
 * Carries out a task on a computer: under the computer's lease, or, where a driver has it, by that driver on the
 * connection that it has, on whatever host it runs. So there is one speaker at any time.
 * Errors: ComputerTaken when the driver that has it cannot be reached; those of the task.
 * @param onCheck told of the checks of a test; all at once when a driver makes them
 */
export async function onComputer<Task extends ComputerTask>(
  profile: Profile,
  computer: Pick<ComputerRow, 'id' | 'label'>,
  task: Task,
  signal: AbortSignal,
  onCheck: (result: CheckResult) => void = () => undefined,
): Promise<TaskResult[Task['kind']]> {
  const { store } = profile;
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
      const answer = await askHolder(profile, error.holder, row.id, task, signal);
      if (answer !== undefined) {
        if (task.kind === 'test') (answer.result as CheckResult[]).forEach(teller());
        return answer.result as TaskResult[Task['kind']];
      }
      const now = await leaseHolder(store, computerLease(row.id), Date.now());
      if (left <= 1 || !mayBeHeard(profile))
        throw now?.owner === error.holder?.owner ? error : new ComputerTaken(row.label, now);
      await delay(tries.pause, undefined, { signal });
    }
  }
}

/** @returns undefined when the holder cannot be asked now */
async function askHolder(
  profile: Profile,
  holder: LeaseRow | undefined,
  computerId: number,
  task: ComputerTask,
  signal: AbortSignal,
): Promise<{ readonly result: unknown } | undefined> {
  if (holder === undefined || !mayBeHeard(profile)) return undefined;
  try {
    await using communicator = await openCommunicator(profile);
    const request = { computerId, task } as unknown as Json;
    const result = await communicator.call(driverAddress(holder.owner), 'computer', request, {
      timeout: patience,
      signal,
    });
    return { result };
  } catch (error) {
    if (error instanceof WherryError && (changing.has(error.code) || error.code === 'broker-unavailable'))
      return undefined;
    throw error;
  }
}
