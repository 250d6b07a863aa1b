import { carryOutTask } from '../engine/computer-task.js';
import type { Engine } from '../engine/engine.js';
import type { Store } from '../store/store.js';
import type { TaskOutcome, ToWorker } from './messages.js';
import { failureOf } from './task-desk.js';

type TaskOrder = Extract<ToWorker, { type: 'task' }>;

/** Carries out the tasks of commands on the computers that a worker holds. */
export class WorkerTasks {
  readonly #engine: Engine;
  readonly #store: Store;
  readonly #running = new Map<number, AbortController>();

  constructor(engine: Engine, store: Store) {
    this.#engine = engine;
    this.#store = store;
  }

  /** Never fails: what goes wrong is an outcome. */
  async carryOut({ id, computerId, task }: TaskOrder): Promise<TaskOutcome> {
    const abort = new AbortController();
    this.#running.set(id, abort);
    try {
      const use = this.#engine.lend(computerId);
      return { result: await carryOutTask(this.#store, computerId, task, use, abort.signal) };
    } catch (error) {
      return { failure: failureOf(error) };
    } finally {
      this.#running.delete(id);
    }
  }

  cancel(id: number): void {
    this.#running.get(id)?.abort();
  }
}
