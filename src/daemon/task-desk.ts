import { WherryError } from '../errors.js';
import type { TaskFailure, TaskOutcome, ToWorker } from './messages.js';

type TaskOrder = Extract<ToWorker, { type: 'task' }>;

/** The tasks that one worker has been given and has not answered yet. */
export class TaskDesk {
  readonly #tell: (message: ToWorker) => boolean;
  readonly #waiting = new Map<number, (outcome: TaskOutcome) => void>();
  #last = 0;

  /** @param tell false when the worker cannot be told anything */
  constructor(tell: (message: ToWorker) => boolean) {
    this.#tell = tell;
  }

  /** Gives the worker a task and waits for its outcome, which is a failure when the worker ends before. */
  async give(order: Pick<TaskOrder, 'computerId' | 'task'>, signal: AbortSignal): Promise<TaskOutcome> {
    this.#last += 1;
    const id = this.#last;
    const outcome = new Promise<TaskOutcome>((resolve) => this.#waiting.set(id, resolve));
    const cancel = () => void this.#tell({ type: 'cancel', id });
    signal.addEventListener('abort', cancel, { once: true });
    if (!this.#tell({ type: 'task', id, ...order })) this.hear(id, { failure: gone });
    try {
      return await outcome;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  hear(id: number, outcome: TaskOutcome): void {
    this.#waiting.get(id)?.(outcome);
    this.#waiting.delete(id);
  }

  /** The worker has ended: nobody will answer. */
  close(): void {
    for (const id of [...this.#waiting.keys()]) this.hear(id, { failure: gone });
  }
}

/** Another worker takes over; the same question may be asked again. */
const gone: TaskFailure = {
  code: 'back-pressure',
  message: 'the worker that was speaking to the computer has ended',
  transient: true,
};

/** An error in words, for a channel. */
export function failureOf(error: unknown): TaskFailure {
  if (!(error instanceof WherryError)) {
    return { code: 'internal', message: error instanceof Error ? error.message : String(error), transient: false };
  }
  const { code, message, hint, transient } = error;
  return { code, message, hint, transient };
}
