import { AsyncLocalStorage } from 'node:async_hooks';

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

/** The innermost process whose code is running now; undefined outside of all. */
export function currentProcess(): ProcessReference | undefined {
  return stack.getStore()?.at(-1);
}

/** From the outermost to the innermost. */
export function processStack(): readonly ProcessReference[] {
  return stack.getStore() ?? [];
}
