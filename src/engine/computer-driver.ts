import type { CalcJobContext } from '../calcjob/context.js';
import { parse } from '../calcjob/parse.js';
import { retrieve } from '../calcjob/retrieve.js';
import { upload } from '../calcjob/upload.js';
import type { Job } from '../config/job.js';
import { messageOf, WherryError } from '../errors.js';
import type { Connection } from '../plugin/transport.js';
import { callHooks } from '../process/hooks.js';
import { runInProcess } from '../process/process-stack.js';
import { amend, carryOut, type MovingRow, stateOf, type Transition } from '../process/transition.js';
import type { Lease } from '../store/leases.js';
import type { StoreTransaction } from '../store/store.js';
import { isStoreTrouble } from '../store/store-trouble.js';
import type { ComputerRow, ProcessRow } from '../store/tables.js';
import { refuseEntry } from './admission.js';
import type { UseConnection } from './computer-access.js';
import type { ComputerHands, Verb } from './computer-hands.js';
import { carryOutKills } from './computer-kills.js';
import { startLongWork } from './computer-long-work.js';
import { ComputerMonitors } from './computer-monitors.js';
import { ComputerPoll, stopDriving } from './computer-poll.js';
import { countsForeignJobs, startSubmissions } from './computer-submissions.js';
import type { DriverTools } from './driver-tools.js';
import { dueRows, killIntents, nextDueTime } from './due-work.js';
import { consequenceOf, type FailedRow } from './failure.js';
import { isSameConnection, type LoadedComputer, loadComputer } from './loaded-computer.js';
import { expectReachable } from './reachable.js';
import { noteAcceptance, noteSiteLimit, siteLimitIn } from './site-limit.js';
import type { WorkDriver } from './work-driver.js';
import { WorkInProgress } from './work-in-progress.js';

/**
 * Most verbs in progress at once on one computer, so that neither submissions nor transfers keep the other from getting
 * their turn, and how many must be free before more are looked for. The connection lets as many of them through as it
 * has channels.
 */
const places = { submissions: 32, others: 32, refill: 8, parsing: 32 } as const;

/** Drives the calcjobs of one computer while it holds that computer's lease. */
export class ComputerDriver implements WorkDriver {
  readonly lease: Lease;
  readonly #tools: DriverTools;
  readonly #stop = new AbortController();
  readonly #working: WorkInProgress;
  readonly #hands: ComputerHands;
  /** Commands of people that use the connection. */
  #guests = 0;
  #computer: LoadedComputer;
  readonly #monitors: ComputerMonitors;
  readonly #poll: ComputerPoll;

  private constructor(tools: DriverTools, lease: Lease, computer: LoadedComputer) {
    this.#tools = tools;
    this.lease = lease;
    this.#computer = computer;
    this.#working = new WorkInProgress(
      (error) => (isStoreTrouble(error) ? tools.storeTrouble(error) : stopDriving(this.#stop, error)),
      tools.wake,
    );
    this.#hands = {
      tools,
      lease,
      computerId: computer.row.id,
      working: this.#working,
      begin: (row, stage, verb) => this.#begin(row, stage, verb),
      onConnection: (row, signal, use) => this.#onConnection(row, signal, use),
      carryOut: (row, transition) => this.#carryOutUnlessMoved(row, transition),
      failed: (row, error) => this.#failed(row, error),
    };
    this.#monitors = new ComputerMonitors(this.#hands);
    this.#poll = new ComputerPoll(
      tools,
      lease,
      this.#stop,
      async (row, transition) => {
        await this.#carryOut(row, transition);
      },
      (row, error) => this.#failed(row, error),
    );
  }

  /** Errors: ReachableElsewhere; those of loading the computer. */
  static async create(tools: DriverTools, lease: Lease, row: ComputerRow): Promise<ComputerDriver> {
    const computer = await loadComputer(row);
    expectReachable(computer);
    return new ComputerDriver(tools, lease, computer);
  }

  get computerId(): number {
    return this.#computer.row.id;
  }

  /** Is anything in progress? */
  get busy(): boolean {
    return this.steps > 0;
  }

  /** How much is in progress: verbs, a listing, and what commands of people do. */
  get steps(): number {
    return this.#working.size + (this.#poll.busy ? 1 : 0) + this.#guests;
  }

  /** Without an open connection nothing has begun over there. */
  get mustSettle(): boolean {
    return this.busy && this.holdsOn;
  }

  /** Is its connection open? */
  get holdsOn(): boolean {
    return this.#tools.queue.isOpen(this.computerId);
  }

  /** Lends the connection to a command of somebody. */
  readonly lend: UseConnection = async (signal, work, anyway) => {
    const held = AbortSignal.any([signal, this.#stop.signal]);
    const computer = this.#computer;
    this.#guests++;
    try {
      return await this.#tools.queue.use(computer, held, (open) => work(open, computer, held), undefined, anyway);
    } finally {
      this.#guests--;
      this.#tools.wake();
    }
  };

  /** Aborted with the reason when the lease was lost. */
  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  /**
   * Starts everything that is due and allowed, without waiting for it.
   * @returns when something will be due, in milliseconds since the epoch; undefined when nothing is known to come
   */
  async step(): Promise<number | undefined> {
    if (!(await this.#refresh()) || this.#stop.signal.aborted) return undefined;
    const { now } = this.#tools;
    const wishes = await killIntents(this.#tools.store, this.computerId);
    await carryOutKills(this.#hands, wishes, this.#blockedUntil() === undefined);
    const at = now();
    const blockedUntil = this.#blockedUntil();
    await this.#startDue(blockedUntil === undefined, at);
    const times = [await nextDueTime(this.#tools.store, this.computerId, at), ...wishes.map(({ due_at }) => due_at)];
    if (blockedUntil === undefined) {
      await startLongWork(this.#hands, this.#computer, at);
      const nextAt = await startSubmissions(this.#hands, this.#computer, at, places.submissions);
      const counting = countsForeignJobs(this.#computer, at);
      times.push(nextAt, await this.#poll.start(this.#computer, { killing: wishes.some(isInQueue), counting }, at));
      times.push(await this.#monitors.start(at));
    } else if (Number.isFinite(blockedUntil)) times.push(blockedUntil);
    else if (!this.busy) await this.#tools.queue.close(this.computerId);
    // What was due before and is not in progress waits for something that has its own time, or for somebody.
    const coming = times.filter((time) => typeof time === 'number' && time > at) as number[];
    return coming.length === 0 ? undefined : Math.min(...coming);
  }

  /** Gives up what still waits for its turn; what has begun goes on. */
  drain(): void {
    this.#working.drain(new WherryError('aborted', 'the driver ends'));
  }

  /** Stops what is in progress, and begins nothing more. */
  abandon(reason: WherryError): void {
    this.#stop.abort(reason);
    this.#working.abort(reason);
    // Whoever waits for their end may wait long: the connection must not, for the next driver opens its own.
    this.#tools.queue.close(this.computerId).catch((error: unknown) => {
      if (!isStoreTrouble(error)) process.emitWarning(`closing a connection failed: ${messageOf(error)}`);
    });
  }

  /** Stops what is in progress and waits for its end. */
  async stop(reason: WherryError): Promise<void> {
    this.#stop.abort(reason);
    this.#working.abort(reason);
    await this.#working.settled();
    await this.#poll.settled;
    await this.#tools.queue.close(this.computerId);
  }

  /**
   * Takes over changes of the configuration at once, limits even while work is in progress; another way of connecting
   * as soon as nothing is. False when nothing may be begun: the computer is gone, or is about to be connected anew.
   */
  async #refresh(): Promise<boolean> {
    const { store, queue } = this.#tools;
    const row = await store.selectFrom('computers').selectAll().where('id', '=', this.computerId).executeTakeFirst();
    if (row === undefined) return false;
    if (row.config === this.#computer.row.config) {
      this.#computer = { ...this.#computer, row };
      return true;
    }
    const computer = await loadComputer(row);
    if (!isSameConnection(computer, this.#computer)) {
      if (this.busy) return false;
      await queue.close(row.id);
    }
    queue.limit(row.id, computer.limits.maxChannels);
    this.#computer = computer;
    return true;
  }

  /** Infinity while a hold is on, a time while an unreachable computer is left alone. */
  #blockedUntil(): number | undefined {
    const { row } = this.#computer;
    if (row.hold !== null) return Number.POSITIVE_INFINITY;
    if (this.#tools.queue.isOpen(row.id)) return undefined;
    return row.open_after !== null && row.open_after > this.#tools.now() ? row.open_after : undefined;
  }

  async #startDue(isReachable: boolean, at: number): Promise<void> {
    // Those that parse use no connection, so they keep nobody from it.
    const parsing = this.#working.at('parse');
    const room = places.others - (this.#working.size - this.#working.at('submit') - parsing);
    if (room < places.refill) return;
    const { draining_since } = this.#computer.row;
    const sending = draining_since === null ? ['upload'] : [];
    const reading = parsing < places.parsing ? ['parse'] : [];
    const stages = isReachable ? [...sending, 'retrieve', ...reading] : reading;
    const rows = await dueRows(this.#tools.store, this.computerId, stages, at, room, this.#working.ids);
    for (const row of rows) this.#start(row);
  }

  #start(row: ProcessRow): void {
    const stage = row.stage ?? '';
    const verb = { upload, retrieve }[stage];
    if (verb !== undefined || stage === 'parse') this.#begin(row, stage, verb);
  }

  #begin(row: ProcessRow, stage: string, verb: Verb | undefined): void {
    const abort = new AbortController();
    const { signal } = abort;
    const work = async () => {
      let current = row;
      try {
        const transition = await runInProcess({ id: row.id, uuid: row.uuid, name: row.name }, () =>
          verb === undefined ? this.#parse(row, signal) : this.#onConnection(row, signal, verb),
        );
        if (transition === undefined) return;
        current = await this.#carryOut(row, transition);
        if (current.stage === 'update') {
          await noteAcceptance(this.#tools.store, this.lease, this.#computer.row, this.#tools.now());
        }
        // Reading what was brought needs nothing but the row.
        const isFree = current.paused === 0 && current.kill_requested_at === null && !signal.aborted;
        if (
          current.stage !== 'parse' ||
          current.lane !== null ||
          !isFree ||
          this.#working.at('parse') >= places.parsing
        )
          return;
        const working = this.#working.of(row.id);
        if (working !== undefined) working.stage = 'parse';
        await this.#carryOut(current, await this.#parse(current, signal));
      } catch (error) {
        if (!signal.aborted) await this.#failed(current, error);
      }
    };
    this.#working.add(row.id, { abort, stage, waiting: verb !== undefined }, work());
  }

  /** A parser of the user may take long; it uses neither the connection nor the main loop. */
  #parse(row: ProcessRow, signal: AbortSignal): Promise<Transition> {
    const { store, repository } = this.#tools;
    return parse(row, { store, repository, signal });
  }

  async #onConnection<Result>(
    row: ProcessRow,
    signal: AbortSignal,
    verb: (context: CalcJobContext) => Promise<Result>,
  ): Promise<Result> {
    const { store, repository, queue, now, nonce } = this.#tools;
    const computer = this.#computer;
    const job = JSON.parse(row.inputs) as Job;
    return queue.use(computer, signal, (connection: Connection) => {
      const working = this.#working.of(row.id);
      if (working !== undefined) working.waiting = false;
      const refuse = (transaction: StoreTransaction) => refuseEntry(transaction, computer, row);
      const own = { row, job, lease: this.lease, signal, refuseEntry: refuse };
      return verb({ ...own, computer, connection, store, repository, now, nonce });
    });
  }

  async #carryOut(row: MovingRow, transition: Transition): Promise<ProcessRow> {
    const { store, repository, hooks, now } = this.#tools;
    const after = await carryOut(store, row, transition, { now: now(), lease: this.lease });
    if (after.ended_at !== null) await repository.forget(after.uuid);
    // Its job may have begun to run.
    if (after.stage === 'update') this.#monitors.lookSoon();
    const change = { id: row.id, from: stateOf(row), to: stateOf(after), stage: after.stage };
    callHooks(hooks, change, (error) => process.emitWarning(`a hook of process ${row.id} failed: ${messageOf(error)}`));
    return after;
  }

  /** A process that somebody has killed by force meanwhile stays as it is. */
  async #carryOutUnlessMoved(row: MovingRow, transition: Transition): Promise<void> {
    try {
      await this.#carryOut(row, transition);
    } catch (error) {
      if (!(error instanceof WherryError) || error.code !== 'transition-refused') throw error;
    }
  }

  async #failed(row: FailedRow, error: unknown): Promise<void> {
    if (error instanceof WherryError && error.code === 'lease-lost') throw error;
    const { store, now, random } = this.#tools;
    const at = now();
    const limit = siteLimitIn(error);
    if (limit !== undefined) {
      await noteSiteLimit(store, this.lease, this.computerId, limit.message, { now: at, random: random() });
    }
    const consequence = consequenceOf(row, error, at, random());
    if (consequence.kind === 'except') {
      const { code, message, stack } = consequence;
      await this.#carryOutUnlessMoved(row, { to: 'excepted', exception: { code, message, stack } });
      return;
    }
    await amend(store, row.id, consequence.changes, { now: at, lease: this.lease, events: consequence.events });
  }
}

function isInQueue(row: ProcessRow): boolean {
  return row.stage === 'update';
}
