import { WherryError } from '../src/plugin.js';
import type { SimulatedCluster } from './cluster.js';
import type { Fault, Operation } from './faults.js';
import { draw } from './random.js';

/** One thing that is done over a connection. */
export interface Action<T> {
  readonly operation: Operation;
  readonly subject: string;
  /** Has it an effect on the computer, so that it may come about although nobody waits for it any more? */
  readonly changes: boolean;
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
  run(fault: Fault | undefined): T;
}

/** The line to a simulated computer: it takes time, and everything that can go wrong on the way goes wrong here. */
export class Line {
  readonly #cluster: SimulatedCluster;
  readonly #lost = new AbortController();

  constructor(cluster: SimulatedCluster) {
    this.#cluster = cluster;
    cluster.connections.add(this);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  lose(reason = 'the connection to the simulated computer broke'): void {
    this.#cluster.connections.delete(this);
    if (!this.lost.aborted) this.#lost.abort(new WherryError('connection-lost', reason, { transient: true }));
  }

  /**
   * Carries something out on the computer, with the time and the faults of the way there and back.
   * Errors: `connection-lost`, `timed-out`, `aborted`, `back-pressure`, those of `run`.
   */
  async carry<T>(action: Action<T>): Promise<T> {
    const { queue, clock } = this.#cluster;
    const deadline = clock.now() + action.timeout;
    const fault = this.#cluster.decide(action.operation, action.subject);
    if (fault?.kind === 'back-pressure') {
      throw new WherryError('back-pressure', 'the simulated computer has too many sessions', { transient: true });
    }
    const arrival = clock.now() + this.#cluster.latency() + (fault?.kind === 'slow' ? fault.delay : 0);
    try {
      await this.#wait(arrival, deadline, action);
    } catch (error) {
      // What was on its way when nobody waited any more arrives, or it does not.
      const arrives = action.changes && draw(0, action.subject, arrival) < 0.5;
      if (arrives) queue.later(Math.max(arrival, clock.now()), () => this.#unseen(action, fault));
      throw error;
    }
    queue.advance();
    if (fault?.kind === 'lost-before') this.lose();
    if (fault?.kind === 'hang') {
      const { executes = 'never' } = fault;
      if (executes === 'at-once') this.#unseen(action, fault);
      else if (executes !== 'never' && action.changes)
        queue.later(clock.now() + executes, () => this.#unseen(action, fault));
      await this.#wait(deadline + 1, deadline, action);
    }
    this.lost.throwIfAborted();
    const result = action.run(fault);
    if (fault?.kind === 'lost-after' || fault?.kind === 'cut') this.lose();
    await this.#wait(clock.now() + this.#cluster.latency(), deadline, action);
    return result;
  }

  /** Carried out, or refused, where nobody sees what comes of it. */
  #unseen(action: Action<unknown>, fault: Fault | undefined): void {
    try {
      action.run(fault?.kind === 'refused' || fault?.kind === 'disk-full' ? fault : undefined);
    } catch (error) {
      if (!(error instanceof WherryError)) throw error;
      this.#cluster.log.push(`  unseen: ${error.message}`);
    }
  }

  async #wait(until: number, deadline: number, { signal, operation }: Action<unknown>): Promise<void> {
    const { clock } = this.#cluster;
    const signals = signal === undefined ? [this.lost] : [this.lost, signal];
    await clock.sleep(Math.min(until, deadline), AbortSignal.any(signals));
    this.lost.throwIfAborted();
    if (signal?.aborted) throw new WherryError('aborted', `${operation} was stopped on request`);
    if (until > deadline) {
      throw new WherryError('timed-out', `the simulated computer did not answer in time (${operation})`, {
        transient: true,
      });
    }
  }
}
