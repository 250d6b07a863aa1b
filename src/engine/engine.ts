import { randomBytes, randomUUID } from 'node:crypto';
import { messageOf, WherryError } from '../errors.js';
import type { LifecycleHooks } from '../process/hooks.js';
import { claimLease, leaseHolder, releaseLease, renewLease } from '../store/leases.js';
import { isStoreTrouble } from '../store/store-trouble.js';
import type { LeaseRow } from '../store/tables.js';
import { expectSameClock } from './clock.js';
import type { UseConnection } from './computer-access.js';
import { ComputerDriver } from './computer-driver.js';
import { computerLease, computerOfLease } from './computer-lease.js';
import { ComputerWork } from './computer-work.js';
import type { DriverTools } from './driver-tools.js';
import { FairShare } from './fair-share.js';
import { CodeThread, type CodeThreadOptions } from './lanes/code-thread.js';
import { type DefinitionSource, definitionsOf } from './lanes/definition-source.js';
import { laneLease, sharedLanes } from './lanes/lane.js';
import { LaneDriver } from './lanes/lane-driver.js';
import { type LaneDrivers, LaneWork } from './lanes/lane-kind.js';
import { Pauses, type Sleep } from './pauses.js';
import type { Profile } from './profile.js';
import { TransportQueue } from './transport-queue.js';
import type { WorkDriver } from './work-driver.js';
import type { WorkKind } from './work-kind.js';

export interface EngineOptions {
  readonly hooks?: readonly LifecycleHooks[];
  /** Milliseconds since the epoch; injected by tests. */
  readonly now?: () => number;
  readonly random?: () => number;
  readonly nonce?: () => string;
  /** Waits until a moment of `now`. By default time passes by itself. */
  readonly sleep?: Sleep;
  /** Most milliseconds between two steps. */
  readonly heartbeat?: number;
  /** Milliseconds that a lease lasts unless it is renewed; tests make it short. */
  readonly lease?: number;
  /** Who holds the leases that it takes. Default: a new identifier. */
  readonly owner?: string;
  /** How many workers share the work at present, this one included. Default: 1. */
  readonly workers?: () => number;
  /** A lane of its own, in which processes of this program stand; default: it drives those that workers share. */
  readonly ownLane?: string;
  /** Code of users runs in a thread, which opens the profile itself; default: here. */
  readonly codeThread?: CodeThreadOptions;
}

/** Milliseconds. Between steps intents of other programs are looked for. */
const timing = { lease: 30_000, heartbeat: 250 } as const;
/** A lease outlives several renewals; what could not be renewed is let go of before others may take it. */
const renewalsPerLease = 4;
const abandonedAfter = 0.8;
/** Milliseconds between questions to a database that does not answer, and until it counts as well again. */
const outagePause = { first: 250, longest: 10_000, forgotten: 60_000 } as const;

/** A computer that another driver is working on. */
export interface ForeignDriver {
  readonly computerId: number;
  readonly holder: LeaseRow;
}

/** One kind of work, and this driver's share of it. */
interface SharedWork {
  readonly kind: WorkKind;
  readonly share: FairShare;
}

/** Drives every process that is due, whichever program runs it: worker, cron pass, foreground run or test. */
export class Engine implements AsyncDisposable {
  readonly #profile: Profile;
  readonly #tools: DriverTools;
  readonly #heartbeat: number;
  readonly #lease: number;
  readonly #computers: ComputerWork;
  readonly #work: readonly SharedWork[];
  readonly definitions: DefinitionSource;
  readonly #codeThread: CodeThread | undefined;
  readonly #pauses: Pauses;
  readonly #isSimulated: boolean;
  readonly owner: string;
  /** By the names of their leases. */
  readonly #drivers = new Map<string, WorkDriver>();
  readonly #foreign = new Map<number, ForeignDriver>();
  #clockIsRight = false;
  #renewed = 0;
  #guard: NodeJS.Timeout | undefined;
  /** The database failed since the last step; how often it did of late, and when. */
  #trouble: WherryError | undefined;
  #outages = 0;
  #lastOutage = 0;

  constructor(profile: Profile, options: EngineOptions = {}) {
    const { hooks = [], now = Date.now, random = Math.random, nonce = () => randomBytes(5).toString('hex') } = options;
    const { store, repository } = profile;
    this.#profile = profile;
    this.owner = options.owner ?? randomUUID();
    this.#heartbeat = options.heartbeat ?? timing.heartbeat;
    this.#lease = options.lease ?? timing.lease;
    this.#pauses = new Pauses(now, options.sleep);
    this.#isSimulated = options.sleep !== undefined;
    this.#tools = {
      store,
      repository,
      queue: new TransportQueue({
        store,
        now,
        random,
        ...(options.sleep === undefined ? {} : { sleep: options.sleep }),
      }),
      hooks,
      now,
      random,
      nonce,
      wake: () => this.#pauses.wake(),
      storeTrouble: (error) => {
        this.#trouble = error;
      },
    };
    const { workers = () => 1, ownLane, codeThread } = options;
    const tools = this.#tools;
    const definitions = definitionsOf(profile);
    this.definitions = definitions;
    this.#codeThread = codeThread === undefined ? undefined : new CodeThread(tools, codeThread);
    this.#computers = new ComputerWork(tools);
    const here: LaneDrivers = {
      ready: true,
      driver: (lease, lane, resting) => new LaneDriver(tools, lease, lane, definitions, resting),
    };
    const lanes = new LaneWork(tools, ownLane === undefined ? sharedLanes : [ownLane], this.#codeThread ?? here, {
      always: ownLane !== undefined,
    });
    this.#work = [this.#computers, lanes].map((kind) => ({ kind, share: new FairShare(workers, now) }));
  }

  /** Is a step in progress anywhere? */
  get busy(): boolean {
    return [...this.#drivers.values()].some((driver) => driver.busy);
  }

  /** How many computers it holds, and how many steps are in progress on all of them. */
  get load(): { readonly computers: number; readonly steps: number } {
    const drivers = [...this.#drivers.values()];
    return { computers: this.computerIds.length, steps: drivers.reduce((sum, driver) => sum + driver.steps, 0) };
  }

  /** Computers that it holds now. */
  get computerIds(): readonly number[] {
    return [...this.#drivers.keys()].flatMap((name) => computerOfLease(name) ?? []);
  }

  /** Computers with work that other drivers hold. */
  get foreignDrivers(): readonly ForeignDriver[] {
    return [...this.#foreign.values()];
  }

  /**
   * Drives until `until` says so or the signal comes. Work of other drivers is left to them and taken over when they
   * end. A database that does not answer for a while is waited for.
   * @param computers ids to drive; all that have work when absent
   */
  async drive(options: {
    readonly signal: AbortSignal;
    readonly until: () => boolean | Promise<boolean>;
    readonly computers?: readonly number[];
  }): Promise<void> {
    while (!options.signal.aborted) {
      let next: number | undefined;
      try {
        if (await options.until()) return;
        next = await this.#step(options.computers);
      } catch (error) {
        await this.#outage(error, options.signal);
        continue;
      }
      const latest = this.#tools.now() + this.#heartbeat;
      await this.#pauses.wait(Math.min(next ?? latest, latest), options.signal);
    }
  }

  /** The driver of a lane that this engine holds and drives here; undefined when it does not. */
  laneDriver(lane: string): LaneDriver | undefined {
    const driver = this.#drivers.get(laneLease(lane));
    return driver instanceof LaneDriver ? driver : undefined;
  }

  /** Something outside says that there may be more to do. */
  wake(): void {
    this.#pauses.wake();
  }

  /** Waits a little for a database that does not answer. Errors: any other error as it is. */
  async #outage(error: unknown, signal: AbortSignal): Promise<void> {
    if (!isStoreTrouble(error)) throw error;
    this.#pauses.begin();
    const { now } = this.#tools;
    if (now() - this.#renewed >= this.#lease * abandonedAfter) {
      for (const driver of [...this.#drivers.values()]) await this.#dismiss(driver, 'its lease could not be renewed');
    }
    // One that answers questions but cannot write, such as a full disk, is no better than one that is silent.
    if (now() - this.#lastOutage > outagePause.forgotten) this.#outages = 0;
    this.#lastOutage = now();
    const pause = Math.min(outagePause.longest, outagePause.first * 2 ** this.#outages);
    this.#outages += 1;
    await this.#pauses.wait(now() + pause, signal);
  }

  /** One pass: everything that is due, and what becomes due at once by it; then it returns. */
  async pass(signal: AbortSignal): Promise<void> {
    const { now } = this.#tools;
    for (;;) {
      const next = await this.#step(undefined);
      const isOver = () => signal.aborted || (!this.busy && (next === undefined || next > now()));
      if (isOver()) return;
      await this.#pauses.wait(Math.min(next ?? Number.POSITIVE_INFINITY, now() + this.#heartbeat), signal);
      // Those who look in a thread are at it whenever a step has just been made.
      if (!this.#pauses.woken && isOver()) return;
    }
  }

  /**
   * Starts nothing more and lets what has begun come to its end, while leases go on being renewed; a computer is given
   * back as soon as nothing is in progress on it. Returns early when the signal comes: what is left is then for
   * `[Symbol.asyncDispose]` to stop.
   */
  async settle(signal: AbortSignal): Promise<void> {
    for (const driver of this.#drivers.values()) driver.drain();
    while (!signal.aborted) {
      this.#pauses.begin();
      await this.#renew().catch((error: unknown) => this.#outage(error, signal));
      const done = (driver: WorkDriver) => !driver.mustSettle || driver.stopped.aborted;
      const free = [...this.#drivers.values()].filter(done);
      await Promise.all(free.map((driver) => this.#dismiss(driver, 'the driver ends')));
      if (this.#drivers.size === 0) return;
      await this.#pauses.wait(this.#tools.now() + this.#heartbeat, signal);
    }
  }

  /** Stops what is in progress (it goes on with the next driver), gives leases back, closes connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#drivers.values()].map((driver) => this.#dismiss(driver, 'the driver ends')));
    clearTimeout(this.#guard);
    await this.#codeThread?.[Symbol.asyncDispose]();
    await this.#tools.queue[Symbol.asyncDispose]();
  }

  /**
   * A way to use the connection of a computer that this engine holds, beside its own work on it.
   * Errors: `back-pressure` when it does not hold it.
   */
  lend(computerId: number): UseConnection {
    const driver = this.#drivers.get(computerLease(computerId));
    if (driver instanceof ComputerDriver) return driver.lend;
    throw new WherryError('back-pressure', 'this driver does not hold the computer', { transient: true });
  }

  async #step(computers: readonly number[] | undefined): Promise<number | undefined> {
    this.#pauses.begin();
    const trouble = this.#trouble;
    this.#trouble = undefined;
    await this.#renew();
    if (trouble !== undefined) throw trouble;
    this.#computers.wanted = computers;
    await this.#takeWork();
    const times: number[] = [];
    for (const driver of [...this.#drivers.values()]) {
      if (driver.stopped.aborted) {
        await this.#dismiss(driver, messageOf(driver.stopped.reason));
        continue;
      }
      try {
        const next = await driver.step();
        if (next !== undefined) times.push(next);
      } catch (error) {
        if (isStoreTrouble(error)) throw error;
        await this.#dismiss(driver, messageOf(error));
        const isTaken = error instanceof WherryError && error.code === 'lease-lost';
        if (!isTaken) await this.#kindOf(driver.lease.name).failed(driver.lease.name, error);
      }
    }
    return times.length === 0 ? undefined : Math.min(...times);
  }

  async #takeWork(): Promise<void> {
    this.#foreign.clear();
    if (!this.#clockIsRight) await this.#checkClock();
    for (const work of this.#work) await this.#takeShare(work);
  }

  async #takeShare({ kind, share }: SharedWork): Promise<void> {
    const { store, now } = this.#tools;
    const withWork = await kind.withWork();
    const total = kind.total(withWork.length);
    const held = () => [...this.#drivers.keys()].filter((name) => this.#kindOf(name) === kind);
    for (const name of held()) {
      const driver = this.#drivers.get(name);
      const isNeeded = (kind.keeps || withWork.includes(name)) && !share.exceeded(held().length, total);
      // Only those are given back whose connection, or whatever else they hold, would not be lost by it.
      if (driver !== undefined && !isNeeded && !driver.busy && !driver.holdsOn) {
        await this.#dismiss(driver, 'it is not needed here');
      }
    }
    for (const name of withWork) {
      if (this.#drivers.has(name) || !kind.mayTake(name)) continue;
      const mayTake = share.mayTake(name, held().length, total);
      const lease = mayTake ? await claimLease(store, name, this.owner, now(), this.#lease) : undefined;
      if (lease === undefined) {
        const holder = await leaseHolder(store, name, now());
        if (holder === undefined) continue;
        const computerId = computerOfLease(name);
        if (computerId !== undefined) this.#foreign.set(computerId, { computerId, holder });
        share.taken(name);
        continue;
      }
      const driver = await kind.driverFor(lease).catch(async (error: unknown) => {
        await releaseLease(store, lease);
        throw error;
      });
      if (driver === undefined) await releaseLease(store, lease);
      else this.#drivers.set(name, driver);
    }
  }

  #kindOf(name: string): WorkKind {
    const [computers, lanes] = this.#work;
    const work = computerOfLease(name) === undefined ? lanes : computers;
    if (work === undefined) throw new WherryError('internal', `nobody knows what the lease ${name} is of`);
    return work.kind;
  }

  /** No lease is taken by a clock that others do not share. Errors: `store-failed`. */
  async #checkClock(): Promise<void> {
    const { settings, store } = this.#profile;
    if (settings.store !== undefined) await expectSameClock(store);
    this.#clockIsRight = true;
  }

  async #renew(): Promise<void> {
    const { store, now } = this.#tools;
    const began = now();
    if (began - this.#renewed < this.#lease / renewalsPerLease) return;
    for (const driver of [...this.#drivers.values()]) {
      if (!(await renewLease(store, driver.lease, now(), this.#lease)))
        await this.#dismiss(driver, 'the lease was lost');
    }
    this.#renewed = began;
    this.#guardLeases(now() - began);
  }

  /**
   * Where even the question to the database hangs, nobody else would notice that the leases run out.
   * @param elapsed milliseconds since the first of them was renewed
   */
  #guardLeases(elapsed: number): void {
    clearTimeout(this.#guard);
    if (this.#isSimulated) return;
    const reason = new WherryError('aborted', 'its lease could not be renewed');
    const abandon = () => {
      for (const driver of this.#drivers.values()) driver.abandon(reason);
    };
    this.#guard = setTimeout(abandon, this.#lease * abandonedAfter - elapsed);
    this.#guard.unref();
  }

  async #dismiss(driver: WorkDriver, reason: string): Promise<void> {
    this.#drivers.delete(driver.lease.name);
    try {
      await driver.stop(new WherryError('aborted', reason));
      await releaseLease(this.#profile.store, driver.lease);
    } catch (error) {
      // What could not be written down is found out by others: the lease runs out.
      if (!isStoreTrouble(error)) throw error;
    }
  }
}
