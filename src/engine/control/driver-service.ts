import { hostname } from 'node:os';
import type { Communicator, Json, Method } from '../../broker/communicator.js';
import { messageOf, WherryError } from '../../errors.js';
import { carryOutTask as carryOutOnComputer } from '../computer-task.js';
import type { Engine } from '../engine.js';
import type { Profile } from '../profile.js';
import { driverAddress, processQueue, wakeSubjects } from './addresses.js';
import { applyIntent } from './apply-intent.js';
import { computerRequest, processRequest } from './messages.js';
import { Outbox } from './outbox.js';
import { carryOutTask } from './process-tasks.js';
import { Wakeable } from './wakeable.js';

export interface DriverServiceOptions {
  readonly profile: Profile;
  readonly engine: Engine;
  readonly communicator: Communicator;
  /** Does it take tasks that make processes? A command in the foreground does not. */
  readonly takesTasks: boolean;
  /** Told of what goes wrong and is tried again. */
  readonly onProblem: (error: unknown) => void;
}

/** Milliseconds. */
const timing = { look: 250, retry: 5_000 } as const;
/** Tasks that are carried out at once. */
const prefetch = 8;

/**
 * What makes a driver reachable: it answers questions about its work, is woken by wishes of others, takes tasks, and
 * tells everybody what happened. Without a broker the engine does the same work, only when it looks into the store.
 */
export class DriverService implements AsyncDisposable {
  readonly #options: DriverServiceOptions;
  readonly #outbox: Outbox;
  readonly #stop = new AbortController();
  /** In the order in which they were made. */
  readonly #registrations: AsyncDisposable[] = [];
  #reconnections: Disposable | undefined;
  readonly #loops: Promise<void>[];
  readonly #news = new Wakeable();
  /** Was something written here that nobody has been told of? */
  #changed = false;

  constructor(options: DriverServiceOptions) {
    const { profile, engine, communicator } = options;
    this.#options = options;
    this.#outbox = new Outbox(profile.store, communicator, engine.owner, Date.now);
    this.#loops = [this.#register(), this.#tell()];
  }

  /** Something was written by this driver. */
  changed(): void {
    this.#changed = true;
    this.#news.wake();
  }

  /** Takes no more, lets go of what it was, and leaves the communicator as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new WherryError('aborted', 'the driver ends'));
    await Promise.all(this.#loops);
    this.#reconnections?.[Symbol.dispose]();
    try {
      for (const one of this.#registrations.reverse()) await one[Symbol.asyncDispose]();
      await this.#outbox.release();
    } catch (error) {
      this.#options.onProblem(error);
    }
  }

  /** Registers everything at the broker, again and again until it has succeeded: the broker may be away. */
  async #register(): Promise<void> {
    const { communicator, engine, takesTasks } = this.#options;
    const pause = new Wakeable();
    const steps = [
      () => communicator.serve(driverAddress(engine.owner), this.#methods()),
      () => communicator.listen([{ subject: wakeSubjects.drivers }], () => this.#wake()),
      () => communicator.listen([{ subject: wakeSubjects.outbox }], () => this.#outbox.isMine && this.#news.wake()),
      ...(takesTasks ? [() => this.#takeTasks()] : []),
    ];
    for (const step of steps) {
      while (!this.#stop.signal.aborted) {
        try {
          this.#registrations.push(await step());
          break;
        } catch (error) {
          // At the end nobody is left to whom it would be a problem.
          if (this.#stop.signal.aborted) return;
          this.#options.onProblem(error);
          await pause.wait(timing.retry, this.#stop.signal);
        }
      }
    }
    // Wishes that were told while nobody listened.
    this.#reconnections = communicator.onReconnected(() => this.#wake());
    this.#wake();
  }

  #wake(): void {
    this.#options.engine.wake();
    this.#news.wake();
  }

  async #takeTasks(): Promise<AsyncDisposable> {
    const { profile, communicator, engine } = this.#options;
    const { signal } = this.#stop;
    const intake = await communicator.takeTasks(processQueue, { prefetch });
    const take = async () => {
      while (!signal.aborted) {
        try {
          await carryOutTask(profile, await intake.next({ signal }), signal);
          engine.wake();
        } catch (error) {
          if (!signal.aborted) this.#options.onProblem(error);
          if (error instanceof WherryError && error.code === 'communicator-closed') return;
        }
      }
    };
    const takers = Promise.all(Array.from({ length: prefetch }, take));
    return {
      [Symbol.asyncDispose]: async () => {
        await takers;
        await intake[Symbol.asyncDispose]();
      },
    };
  }

  #methods(): Readonly<Record<string, Method>> {
    const { profile, engine } = this.#options;
    return {
      status: () => ({ owner: engine.owner, host: hostname(), pid: process.pid, computers: [...engine.computerIds] }),
      process: async (body) => {
        const summary = await applyIntent(profile.store, checked(processRequest, body));
        this.#wake();
        return summary as unknown as Json;
      },
      computer: async (body, { signal }) => {
        const { computerId, task } = checked(computerRequest, body);
        const result = await carryOutOnComputer(profile.store, computerId, task, engine.lend(computerId), signal);
        return result as unknown as Json;
      },
    };
  }

  /** Tells what was written as soon as it is known here, and at the latest when it is looked for. */
  async #tell(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#news.wait(timing.look, signal);
      try {
        await this.#publish();
      } catch (error) {
        if (!signal.aborted) this.#options.onProblem(error);
        await new Wakeable().wait(timing.retry, signal);
      }
    }
  }

  async #publish(): Promise<void> {
    const { communicator } = this.#options;
    if (!communicator.connected) return;
    const changed = this.#changed;
    this.#changed = false;
    await this.#outbox.publish();
    // It is another that tells; it would find out by itself, but later.
    if (changed && !this.#outbox.isMine) await communicator.broadcast(wakeSubjects.outbox);
  }
}

function checked<T>(
  schema: { safeParse(value: unknown): { success: true; data: T } | { success: false; error: unknown } },
  body: Json,
): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  throw new WherryError(
    'message-refused',
    `this is not what the method takes: ${messageOf(result.error).slice(0, 500)}`,
  );
}
