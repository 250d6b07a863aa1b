import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** A process that is being worked on, as seen by what runs inside it. */
export interface ProcessReference {
  readonly id: number;
  readonly uuid: string;
  readonly name: string;
}

const stack = new AsyncLocalStorage<readonly ProcessReference[]>();

/**
 * Runs `work` as part of a process: inside it, and in everything it awaits, that process is the current one.
 * @param callers who called it, from the outermost to the innermost; default: those in whose work it is begun
 */
export function runInProcess<T>(
  process: ProcessReference,
  work: () => T,
  callers: readonly ProcessReference[] = processStack(),
): T {
  return stack.run([...callers, process], work);
}

/**
 * Runs code of a user as part of a process. It begins in a turn of its own: what it keeps the thread from by never coming
 * back is then no transaction that has just begun, and would keep everybody else from the store.
 */
export async function runCodeIn<T>(
  process: ProcessReference,
  work: () => Promise<T> | T,
  callers?: readonly ProcessReference[],
): Promise<T> {
  await nextTurn();
  return runInProcess(process, work, callers);
}

/** The innermost process whose code is running now; undefined outside of all. */
export function currentProcess(): ProcessReference | undefined {
  return stack.getStore()?.at(-1);
}

/** From the outermost to the innermost. */
export function processStack(): readonly ProcessReference[] {
  return stack.getStore() ?? [];
}
