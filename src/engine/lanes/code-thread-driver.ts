import type { WherryError } from '../../errors.js';
import type { Lease } from '../../store/leases.js';
import { isStoreTrouble } from '../../store/store-trouble.js';
import type { LaneTools } from '../driver-tools.js';
import type { WorkDriver } from '../work-driver.js';
import { errorOf, type LaneAnswer, type LaneOrder, type LaneState, wordsOf } from './code-thread-messages.js';

/** Milliseconds that a driver is waited for which has been told to stop; its thread may be kept by code of a user. */
const stopPatience = 3_000;

/** The thread, as one of its drivers sees it. */
export interface LanePort {
  /** Sends an order; false when the thread is gone. */
  readonly send: (order: LaneOrder) => boolean;
  /** Called while an answer is waited for, with the moment of the order, by `performance.now`. */
  readonly late: (since: number) => void;
  /** Called when a stop was not answered in time. */
  readonly stuck: () => void;
}

/** Drives a lane in the thread for code of users. Nothing here waits for that thread, except a stop for a while. */
export class CodeThreadDriver implements WorkDriver {
  readonly lease: Lease;
  readonly lane: string;
  readonly #tools: LaneTools;
  readonly #port: LanePort;
  readonly #stop = new AbortController();
  #state: LaneState = { steps: 0, mustSettle: false, holdsOn: false, stopped: undefined };
  /** When those orders were given that have no answer yet. */
  readonly #asked: number[] = [];
  /** Was a step asked for while another was in progress? */
  #again = false;
  #next: number | undefined;
  #error: WherryError | undefined;
  /** Called when the last order was answered, or will never be. */
  #answered: (() => void) | undefined;
  #isGone = false;
  #isToldToStop = false;

  constructor(tools: LaneTools, lease: Lease, lane: string, port: LanePort) {
    this.lease = lease;
    this.lane = lane;
    this.#tools = tools;
    this.#port = port;
  }

  /** Makes its counterpart in the thread. */
  begin(resting: number): void {
    this.#send({ type: 'begin', lease: this.lease, lane: this.lane, resting });
  }

  get busy(): boolean {
    return this.#state.steps > 0 || this.#isWaiting;
  }

  get steps(): number {
    return this.#state.steps;
  }

  get mustSettle(): boolean {
    // What it was told last may have found it at something that is not known here yet.
    return this.#state.mustSettle || this.#isWaiting;
  }

  get holdsOn(): boolean {
    return this.#state.holdsOn || this.#isWaiting;
  }

  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /** Has it been told to stop, and has answered? */
  get isOver(): boolean {
    return this.#isToldToStop && this.#asked.length === 0;
  }

  get #isWaiting(): boolean {
    return this.#asked.length > 0 && !this.#isGone;
  }

  async step(): Promise<number | undefined> {
    const error = this.#error;
    this.#error = undefined;
    if (error !== undefined) throw error;
    const since = this.#asked[0];
    if (since === undefined) this.#send({ type: 'step' });
    else {
      this.#again = true;
      this.#port.late(since);
    }
    return this.#next !== undefined && this.#next > this.#tools.now() ? this.#next : undefined;
  }

  drain(): void {
    this.#send({ type: 'drain' });
  }

  abandon(reason: WherryError): void {
    this.#stop.abort(reason);
    if (this.#isToldToStop) return;
    this.#isToldToStop = true;
    this.#send({ type: 'stop', reason: wordsOf(reason) });
  }

  async stop(reason: WherryError): Promise<void> {
    this.abandon(reason);
    if (!this.#isWaiting) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#port.stuck(), stopPatience);
      this.#answered = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** The thread has answered an order. */
  hear({ state, next, error }: LaneAnswer): void {
    this.#asked.shift();
    // Somebody counts on the time that was told before.
    if (next !== this.#next) this.#again = true;
    this.#next = next;
    if (error !== undefined) this.#fail(errorOf(error));
    this.see(state);
    if (this.#asked.length > 0) return;
    this.#answered?.();
    if (this.#again) this.#tools.wake();
    this.#again = false;
  }

  /** The thread has told how it is. */
  see(state: LaneState): void {
    this.#state = state;
    if (state.stopped === undefined || this.#stop.signal.aborted) return;
    this.#stop.abort(errorOf(state.stopped));
    this.#tools.wake();
  }

  /** The thread has ended, or is given up: whatever was in progress is begun anew by the next driver. */
  lose(reason: WherryError): void {
    this.#isGone = true;
    this.#state = { steps: 0, mustSettle: false, holdsOn: false, stopped: undefined };
    this.#stop.abort(reason);
    this.#answered?.();
    this.#tools.wake();
  }

  #fail(error: WherryError): void {
    if (isStoreTrouble(error)) this.#tools.storeTrouble(error);
    else this.#error = error;
    this.#tools.wake();
  }

  #send(order: LaneOrder): void {
    if (this.#isGone || !this.#port.send(order)) return;
    this.#asked.push(performance.now());
  }
}
