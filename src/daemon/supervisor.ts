import type { ChildProcess } from 'node:child_process';
import { WherryError } from '../errors.js';
import type { Log } from './log.js';
import type { BreakerStatus, SupervisorStatus } from './messages.js';
import { breakerPause, restartPause, restartTiming } from './restart-policy.js';
import type { TaskDesk } from './task-desk.js';
import { isoTime, type PlaceTiming, type PlaceTools, WorkerPlace } from './worker-place.js';

export interface SupervisorOptions {
  /** Starts the program of a worker, with a channel and its streams as pipes. */
  readonly fork: () => ChildProcess;
  readonly log: Log;
  readonly timing?: Partial<PlaceTiming>;
  readonly random?: () => number;
}

/** Milliseconds. Silence is shorter than a lease, so that a worker that hangs is gone when others take over. */
const placeTiming: PlaceTiming = { ...restartTiming, silence: 15_000, start: 30_000 };

const watchEvery = 250;
const drainTimeout = 30_000;

/** Keeps as many workers alive as are wanted. */
export class Supervisor {
  readonly #tools: PlaceTools;
  readonly #random: () => number;
  readonly #places = new Map<number, WorkerPlace>();
  readonly #watch: NodeJS.Timeout;
  readonly #waiting = new Set<() => void>();
  #wanted = 0;
  #stopping = false;
  #looked = Date.now();
  #breaker: (BreakerStatus & { readonly times: number }) | undefined;
  #probe: WorkerPlace | undefined;
  #breakerTimer: NodeJS.Timeout | undefined;

  constructor({ fork, log, timing, random = Math.random }: SupervisorOptions) {
    this.#random = random;
    this.#tools = { fork, log, timing: { ...placeTiming, ...timing }, changed: (place) => this.#changed(place) };
    this.#watch = setInterval(() => this.#look(), watchEvery);
  }

  get status(): SupervisorStatus {
    const { since, until, reason } = this.#breaker ?? {};
    return {
      state: this.#stopping ? 'stopping' : 'running',
      wanted: this.#wanted,
      breaker: since === undefined || until === undefined || reason === undefined ? null : { since, until, reason },
      workers: [...this.#places.values()].map((place) => place.status()).sort((a, b) => a.number - b.number),
    };
  }

  /** Starts or drains workers until there are as many as wanted; those with the highest numbers go first. */
  scale(wanted: number): void {
    if (this.#stopping) throw new WherryError('daemon-not-running', 'the daemon is stopping');
    if (wanted !== this.#wanted) this.#tools.log({ level: 'info', message: `${wanted} workers are wanted` });
    this.#wanted = wanted;
    const living = [...this.#places.values()].filter(({ state }) => state !== 'draining');
    living.sort((a, b) => a.number - b.number);
    for (const place of living.slice(wanted)) {
      if (place.running) place.drain(drainTimeout);
      else this.#remove(place);
    }
    for (let count = living.length; count < wanted; count++) {
      const place = new WorkerPlace(this.#freeNumber(), this.#tools);
      this.#places.set(place.number, place);
      if (this.#breaker === undefined) place.start();
    }
    this.#tellCount();
  }

  /** Waits until every worker is ready; fails with `daemon-failed` as soon as one ends instead. */
  async ready(): Promise<void> {
    for (;;) {
      const places = [...this.#places.values()];
      const failed = places.find((place) => place.lastEnd !== null && place.state !== 'ready');
      if (failed !== undefined) {
        throw new WherryError('daemon-failed', `worker ${failed.number} did not start: ${failed.lastEnd?.reason}`, {
          hint: 'see: wherry daemon logs',
        });
      }
      if (places.every(({ state }) => state === 'ready')) return;
      await this.#change();
    }
  }

  /**
   * Drains all workers and kills those that have not ended in time.
   * @param timeout milliseconds
   * @returns how many had to be killed
   */
  async stop(timeout: number): Promise<number> {
    this.#stopping = true;
    clearTimeout(this.#breakerTimer);
    const asked = this.#running();
    this.drainAll(timeout);
    while (this.#running().length > 0) await this.#change();
    clearInterval(this.#watch);
    return asked.filter(({ killed }) => killed).length;
  }

  /** The tasks of the worker with this pid; undefined when it is none of ours. */
  tasksOf(pid: number): TaskDesk | undefined {
    return [...this.#places.values()].find((place) => place.pid === pid)?.tasks;
  }

  /** Gives all workers so many milliseconds to end. */
  drainAll(timeout: number): void {
    for (const place of this.#places.values()) place.drain(timeout);
  }

  #running(): WorkerPlace[] {
    return [...this.#places.values()].filter(({ running }) => running);
  }

  #freeNumber(): number {
    let number = 1;
    while (this.#places.has(number)) number += 1;
    return number;
  }

  /** Resolves when a worker becomes ready or ends; the deadlines of starting and stopping make that certain. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #changed(place: WorkerPlace): void {
    if (!place.running) this.#afterEnd(place);
    this.#tellCount();
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** When one has ended, the others take its computers at once; a share is kept only for one that is quite new. */
  #tellCount(): void {
    const ready = [...this.#places.values()].filter(({ state }) => state === 'ready');
    const coming = [...this.#places.values()].filter(({ state, restarts }) => state === 'starting' && restarts === 0);
    for (const place of ready) place.tell({ type: 'workers', count: ready.length + coming.length });
  }

  #afterEnd(place: WorkerPlace): void {
    const { timing } = this.#tools;
    if (this.#stopping) return;
    const kept = [...this.#places.values()].filter(({ state }) => state !== 'draining').length;
    const looping = this.#breaker === undefined && place.earlyEnds >= timing.endsOfLoop;
    if (kept > this.#wanted) this.#remove(place);
    else if (looping || place === this.#probe) this.#openBreaker(place);
    else if (this.#breaker === undefined) place.startLater(restartPause(place.earlyEnds, this.#random(), timing));
  }

  #remove(place: WorkerPlace): void {
    place.hold();
    this.#places.delete(place.number);
    if (place === this.#probe) this.#try();
  }

  /** Nobody is started for a while: what makes workers end at their start does so to each of them. */
  #openBreaker(place: WorkerPlace): void {
    const times = (this.#breaker?.times ?? 0) + 1;
    const pause = breakerPause(times, this.#tools.timing);
    const now = Date.now();
    const reason = `worker ${place.number} ended ${place.earlyEnds} times in a row soon after its start: ${place.lastEnd?.reason}`;
    this.#breaker = { since: this.#breaker?.since ?? isoTime(now), until: isoTime(now + pause), reason, times };
    this.#probe = undefined;
    for (const other of this.#places.values()) other.hold();
    this.#breakerTimer = setTimeout(() => this.#try(), pause);
    this.#tools.log({ level: 'error', message: `no worker is started until ${this.#breaker.until}: ${reason}` });
  }

  #try(): void {
    this.#probe = [...this.#places.values()].find(({ running }) => !running);
    if (this.#probe === undefined) this.#closeBreaker();
    else this.#probe.start();
  }

  #closeBreaker(): void {
    this.#breaker = this.#probe = undefined;
    for (const place of this.#places.values()) if (!place.running) place.start();
    this.#tools.log({ level: 'info', message: 'workers stay again' });
  }

  #look(): void {
    const now = Date.now();
    const late = now - this.#looked - watchEvery;
    this.#looked = now;
    // Whoever slept itself has not yet heard what the others said meanwhile.
    for (const place of this.#places.values()) {
      if (late > watchEvery) place.excuse(late);
      place.watch(now);
    }
    if ((this.#probe?.readyFor(now) ?? 0) >= this.#tools.timing.steady) this.#closeBreaker();
  }
}
