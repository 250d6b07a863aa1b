import type { ChildProcess } from 'node:child_process';
import type { DaemonSettings } from '../config/daemon-settings.js';
import { WherryError } from '../errors.js';
import { Breaker } from './breaker.js';
import type { Log } from './log.js';
import type { DaemonEvent, Reloaded, SupervisorStatus } from './messages.js';
import { Replacements } from './replacements.js';
import { restartPause, restartTiming } from './restart-policy.js';
import { Wear } from './wear.js';
import { type PlaceTiming, type PlaceTools, WorkerPlace } from './worker-place.js';

export interface SupervisorOptions {
  /** Starts the program of a worker, with a channel and its streams as pipes. */
  readonly fork: () => ChildProcess;
  readonly log: Log;
  readonly settings?: Pick<DaemonSettings, 'maxAge' | 'maxMemory'>;
  /** Told of everything that happens to workers. */
  readonly tell?: (event: DaemonEvent) => void;
  readonly timing?: Partial<PlaceTiming>;
  readonly random?: () => number;
}

/** Milliseconds. Silence is shorter than a lease, so that a worker that hangs is gone when others take over. */
const placeTiming: PlaceTiming = { ...restartTiming, silence: 15_000, start: 30_000, lastWords: 1_000 };

const watchEvery = 250;
const drainTimeout = 30_000;

/** Keeps as many workers alive as are wanted. */
export class Supervisor {
  readonly #tools: PlaceTools;
  readonly #random: () => number;
  readonly #places = new Map<number, WorkerPlace>();
  readonly #watch: NodeJS.Timeout;
  readonly #waiting = new Set<() => void>();
  readonly #breaker: Breaker;
  readonly #replacements: Replacements;
  #wanted = 0;
  #stopping = false;
  #looked = Date.now();
  #probe: WorkerPlace | undefined;
  #reload: Promise<Reloaded> | undefined;
  #nextReload: Promise<Reloaded> | undefined;

  constructor({ fork, log, settings = {}, tell = () => undefined, timing, random = Math.random }: SupervisorOptions) {
    this.#random = random;
    this.#tools = {
      fork,
      log,
      tell,
      timing: { ...placeTiming, ...timing },
      wear: () => new Wear(settings, random()),
      changed: (place) => this.#changed(place),
    };
    this.#breaker = new Breaker(this.#tools.timing, () => this.#try());
    this.#replacements = new Replacements({
      ...{ log, tell, timing: this.#tools.timing },
      add: () => this.#add(),
      remove: (place) => this.#remove(place),
    });
    this.#watch = setInterval(() => this.#look(), watchEvery);
  }

  get status(): SupervisorStatus {
    return {
      state: this.#stopping ? 'stopping' : 'running',
      wanted: this.#wanted,
      breaker: this.#breaker.status,
      replacing: this.#replacements.current?.status ?? null,
      notReplaced: this.#replacements.lastFailure,
      workers: [...this.#places.values()].map((place) => place.status()).sort((a, b) => a.number - b.number),
    };
  }

  /** Starts or drains workers until there are as many as wanted; those with the least to do go first. */
  scale(wanted: number): void {
    if (this.#stopping) throw new WherryError('daemon-not-running', 'the daemon is stopping');
    if (wanted !== this.#wanted) this.#tools.log({ level: 'info', message: `${wanted} workers are wanted` });
    this.#wanted = wanted;
    const crew = this.#crew();
    for (const place of crew.sort(leastBusyFirst).slice(0, Math.max(0, crew.length - wanted))) {
      this.#replacements.giveUp(place, 'fewer workers are wanted');
      if (place.running) place.drain(drainTimeout);
      else this.#remove(place);
    }
    for (let count = crew.length; count < wanted; count++) {
      const place = this.#add();
      if (this.#breaker.status === null) place.start();
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
   * Replaces all workers by others that run the code which is installed now, one after another: each is asked to end
   * when the one for its place is ready. Stops at the first that cannot be replaced. One at a time: who asks while
   * that is in progress has it done once more afterwards, together with all others who ask meanwhile.
   */
  reload(): Promise<Reloaded> {
    this.#nextReload ??= (async () => {
      await this.#reload?.catch(() => undefined);
      this.#reload = this.#nextReload;
      this.#nextReload = undefined;
      return this.#replaceAll();
    })();
    return this.#nextReload;
  }

  async #replaceAll(): Promise<Reloaded> {
    if (this.#stopping) return { replaced: 0, stopped: 'the daemon is stopping' };
    if (this.#breaker.status === null) return this.#replacements.all(() => this.#crew());
    const { reason } = this.#breaker.status;
    this.#breaker.tryNow();
    return { replaced: 0, stopped: `workers do not stay (${reason}); one is being tried now` };
  }

  /**
   * Drains all workers and kills those that have not ended in time. One that cannot even be killed, because the system
   * itself hangs, is waited for only for a while.
   * @param timeout milliseconds
   * @returns how many had to be killed
   */
  async stop(timeout: number): Promise<number> {
    this.#stopping = true;
    this.#breaker[Symbol.dispose]();
    const asked = this.#running();
    this.#replacements.stop('the daemon stops');
    this.drainAll(timeout);
    while (this.#running().some((place) => !place.lost)) await this.#change();
    clearInterval(this.#watch);
    for (const place of this.#running()) place.giveUp();
    return asked.filter(({ killed }) => killed).length;
  }

  /** Gives all workers so many milliseconds to end, or less where somebody has said so before. */
  drainAll(timeout: number): void {
    for (const place of this.#places.values()) place.drain(timeout);
  }

  #running(): WorkerPlace[] {
    return [...this.#places.values()].filter(({ running }) => running);
  }

  /** The workers that count: not those that have been asked to end, nor one that will take the place of another. */
  #crew(): WorkerPlace[] {
    return [...this.#places.values()].filter((place) => !place.leaving && !this.#replacements.awaits(place));
  }

  #add(): WorkerPlace {
    let number = 1;
    while (this.#places.has(number)) number += 1;
    const place = new WorkerPlace(number, this.#tools);
    this.#places.set(number, place);
    return place;
  }

  #remove(place: WorkerPlace): void {
    place.hold();
    this.#places.delete(place.number);
    if (place === this.#probe) this.#try();
  }

  /** Resolves when a worker becomes ready or ends; the deadlines of starting and stopping make that certain. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve));
  }

  #changed(place: WorkerPlace): void {
    if (!place.running) this.#afterEnd(place);
    else if (place.state === 'ready') this.#replacements.ready(place);
    this.#tellCount();
    this.#wakeWaiting();
  }

  #wakeWaiting(): void {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  /** When one has ended, the others take its computers at once; a share is kept only for one that is quite new. */
  #tellCount(): void {
    const ready = [...this.#places.values()].filter(({ state }) => state === 'ready');
    const coming = this.#crew().filter(({ state, restarts }) => state === 'starting' && restarts === 0);
    for (const place of ready) place.tell({ type: 'workers', count: ready.length + coming.length });
  }

  #afterEnd(place: WorkerPlace): void {
    const { timing } = this.#tools;
    if (this.#stopping) return;
    if (this.#replacements.ended(place)) return;
    const looping = this.#breaker.status === null && place.earlyEnds >= timing.endsOfLoop;
    if (place.leaving) this.#remove(place);
    else if (looping || place === this.#probe) this.#openBreaker(place);
    else if (this.#breaker.status === null) place.startLater(restartPause(place.earlyEnds, this.#random(), timing));
  }

  #openBreaker(place: WorkerPlace): void {
    const { reason, until } = this.#breaker.open(
      `worker ${place.number} ended ${place.earlyEnds} times in a row soon after its start: ${place.lastEnd?.reason}`,
    );
    this.#probe = undefined;
    for (const other of this.#places.values()) other.hold();
    this.#tools.log({ level: 'error', message: `no worker is started until ${until}: ${reason}` });
    this.#tools.tell({ type: 'breaker-opened', until, reason });
  }

  #try(): void {
    this.#probe = [...this.#places.values()].find(({ running }) => !running);
    if (this.#probe === undefined) this.#closeBreaker();
    else this.#probe.start();
  }

  #closeBreaker(): void {
    this.#breaker.close();
    this.#probe = undefined;
    for (const place of this.#places.values()) if (!place.running) place.start();
    this.#tools.log({ level: 'info', message: 'workers stay again' });
    this.#tools.tell({ type: 'breaker-closed' });
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
    if (!this.#stopping && this.#breaker.status === null) this.#replacements.look(this.#crew(), now);
    if (this.#stopping) this.#wakeWaiting();
  }
}

/** Who goes first when there are too many: one that does not run, then the one with the least to lose. */
function leastBusyFirst(one: WorkerPlace, other: WorkerPlace): number {
  return (
    Number(one.running) - Number(other.running) ||
    one.load.steps - other.load.steps ||
    one.load.computers - other.load.computers ||
    other.startedAt - one.startedAt ||
    other.number - one.number
  );
}
