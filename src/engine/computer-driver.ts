import type { CalcJobContext } from '../calcjob/context.js';
import { gather } from '../calcjob/gather.js';
import { kill, killed } from '../calcjob/kill.js';
import { parse } from '../calcjob/parse.js';
import { retrieve } from '../calcjob/retrieve.js';
import { stash } from '../calcjob/stash.js';
import { submit } from '../calcjob/submit.js';
import { upload } from '../calcjob/upload.js';
import type { Job } from '../config/job.js';
import { messageOf, WherryError } from '../errors.js';
import type { Connection } from '../plugin/transport.js';
import { callHooks } from '../process/hooks.js';
import { runInProcess } from '../process/process-stack.js';
import { amend, carryOut, type MovingRow, stateOf, type Transition } from '../process/transition.js';
import type { Lease } from '../store/leases.js';
import { fromJson, type StoreTransaction } from '../store/store.js';
import { isStoreTrouble } from '../store/store-trouble.js';
import type { ComputerRow, ProcessRow } from '../store/tables.js';
import { admit, refuseEntry, writeThrottle } from './admission.js';
import type { UseConnection } from './computer-access.js';
import { ComputerPoll, stopDriving } from './computer-poll.js';
import type { DriverTools } from './driver-tools.js';
import { dueRows, killIntents, nextDueTime, unsettledRows } from './due-work.js';
import { consequenceOf, type FailedRow } from './failure.js';
import { isSameConnection, type LoadedComputer, loadComputer } from './loaded-computer.js';
import { dueForMonitors, lookAgain, type MonitorTools, runMonitors } from './monitor-work.js';
import { expectReachable } from './reachable.js';
import { noteAcceptance, noteSiteLimit, siteLimitIn } from './site-limit.js';
import { knowsForeignJobs } from './throttle.js';
import type { WorkDriver } from './work-driver.js';

/**
 * Most verbs in progress at once on one computer, so that neither submissions nor transfers keep the other from getting
 * their turn, and how many must be free before more are looked for. The connection lets as many of them through as it
 * has channels.
 */
const places = { submissions: 32, others: 32, refill: 8, parsing: 32 } as const;
/** Milliseconds after which an unconfirmed cancel is sent again. */
const killAgainAfter = 15_000;

/** Stages in which nothing of a process is left on the computer that could run. */
const afterJob: ReadonlySet<string | null> = new Set(['stash', 'retrieve', 'parse']);

interface Work {
  readonly abort: AbortController;
  readonly done: Promise<void>;
  stage: string;
  /** Does it still wait for its turn on the connection? */
  waiting: boolean;
}

/** Drives the calcjobs of one computer while it holds that computer's lease. */
export class ComputerDriver implements WorkDriver {
  readonly lease: Lease;
  readonly #tools: DriverTools;
  readonly #stop = new AbortController();
  readonly #working = new Map<number, Work>();
  /** Commands of people that use the connection. */
  #guests = 0;
  #computer: LoadedComputer;
  /** When to look for monitors that are due, and whether there are any. */
  #monitors = { lookAt: 0, any: false };
  readonly #poll: ComputerPoll;

  private constructor(tools: DriverTools, lease: Lease, computer: LoadedComputer) {
    this.#tools = tools;
    this.lease = lease;
    this.#computer = computer;
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
    await this.#carryOutKills(wishes);
    const at = now();
    const blockedUntil = this.#blockedUntil();
    await this.#startDue(blockedUntil === undefined, at);
    const times = [await nextDueTime(this.#tools.store, this.computerId, at), ...wishes.map(({ due_at }) => due_at)];
    if (blockedUntil === undefined) {
      await this.#startLong(at);
      const nextAt = await this.#startSubmissions(at);
      const counting = this.#countsFor(at);
      times.push(nextAt, await this.#poll.start(this.#computer, { killing: wishes.some(isInQueue), counting }, at));
      times.push(await this.#startMonitors(at));
    } else if (Number.isFinite(blockedUntil)) times.push(blockedUntil);
    else if (!this.busy) await this.#tools.queue.close(this.computerId);
    // What was due before and is not in progress waits for something that has its own time, or for somebody.
    const coming = times.filter((time) => typeof time === 'number' && time > at) as number[];
    return coming.length === 0 ? undefined : Math.min(...coming);
  }

  /** Gives up what still waits for its turn; what has begun goes on. */
  drain(): void {
    const reason = new WherryError('aborted', 'the driver ends');
    for (const work of this.#working.values()) if (work.waiting) work.abort.abort(reason);
  }

  /** Stops what is in progress, and begins nothing more. */
  abandon(reason: WherryError): void {
    this.#stop.abort(reason);
    for (const work of this.#working.values()) work.abort.abort(reason);
    // Whoever waits for their end may wait long: the connection must not, for the next driver opens its own.
    this.#tools.queue.close(this.computerId).catch((error: unknown) => {
      if (!isStoreTrouble(error)) process.emitWarning(`closing a connection failed: ${messageOf(error)}`);
    });
  }

  /** Stops what is in progress and waits for its end. */
  async stop(reason: WherryError): Promise<void> {
    this.#stop.abort(reason);
    for (const work of this.#working.values()) work.abort.abort(reason);
    await Promise.all([...this.#working.values()].map((work) => work.done));
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
    const parsing = this.#parsing();
    const room = places.others - (this.#working.size - this.#submitting() - parsing);
    if (room < places.refill) return;
    const { draining_since } = this.#computer.row;
    const sending = draining_since === null ? ['upload'] : [];
    const reading = parsing < places.parsing ? ['parse'] : [];
    const stages = isReachable ? [...sending, 'retrieve', ...reading] : reading;
    const rows = await dueRows(this.#tools.store, this.computerId, stages, at, room, this.#busyWith());
    for (const row of rows) this.#start(row);
  }

  /** What copies and packs on the computer itself may take hours: it leaves half of the channels to all others. */
  async #startLong(at: number): Promise<void> {
    const { row, limits } = this.#computer;
    const busy = [...this.#working.values()].filter(({ stage }) => stage === 'gather' || stage === 'stash').length;
    const room = Math.max(1, Math.floor(limits.maxChannels / 2)) - busy;
    if (room <= 0) return;
    const stages = row.draining_since === null ? ['gather', 'stash'] : ['stash'];
    for (const due of await dueRows(this.#tools.store, row.id, stages, at, room, this.#busyWith())) this.#start(due);
  }

  /** @returns when the next monitors may be due */
  async #startMonitors(at: number): Promise<number | undefined> {
    const { lookAt, any } = this.#monitors;
    if (lookAt > at) return any ? lookAt : undefined;
    const { rows, nextAt } = await dueForMonitors(this.#tools.store, this.computerId, at, this.#busyWith());
    for (const row of rows) this.#watch(row);
    this.#monitors = { lookAt: nextAt ?? at + lookAgain, any: nextAt !== undefined };
    return nextAt;
  }

  /** Calls the monitors of a process; they take long, and need the connection for a moment only. */
  #watch(row: ProcessRow): void {
    const { store, now } = this.#tools;
    const abort = new AbortController();
    const { signal } = abort;
    const work = async () => {
      try {
        const onConnection: MonitorTools['onConnection'] = (use) => this.#onConnection(row, signal, use);
        await runMonitors({ store, now, signal, lease: this.lease, onConnection }, row);
        this.#monitors.lookAt = 0;
      } catch (error) {
        if (!signal.aborted) await this.#failed(row, error);
      }
    };
    this.#track(row, 'monitor', abort, work());
  }

  /** @returns when a limit may let more in, as far as that is known */
  async #startSubmissions(at: number): Promise<number | undefined> {
    const { store } = this.#tools;
    const submitting = this.#submitting();
    const room = () => Math.max(0, places.submissions - this.#submitting());
    for (const row of await unsettledRows(store, this.computerId, at, room(), this.#busyWith())) this.#start(row);
    if (room() === 0) return undefined;
    const admission = await admit(store, this.#computer, at, room(), submitting, this.#busyWith());
    for (const row of admission.rows) this.#start(row);
    await writeThrottle(store, this.lease, this.#computer.row, admission.reason, at);
    return admission.nextAt;
  }

  /** Does somebody wait to be submitted until the jobs that are not ours have been counted? */
  #countsFor(at: number): boolean {
    const { row, limits } = this.#computer;
    const isWaiting = fromJson<object>(row.throttle) !== undefined;
    return (
      limits.countForeignJobs && Number.isFinite(limits.maxQueued) && isWaiting && !knowsForeignJobs(this.#computer, at)
    );
  }

  #submitting(): number {
    return [...this.#working.values()].filter((work) => work.stage === 'submit').length;
  }

  #parsing(): number {
    return [...this.#working.values()].filter((work) => work.stage === 'parse').length;
  }

  #busyWith(): ReadonlySet<number> {
    return new Set(this.#working.keys());
  }

  async #carryOutKills(wishes: readonly ProcessRow[]): Promise<void> {
    const { now } = this.#tools;
    for (const row of wishes) {
      const work = this.#working.get(row.id);
      if (work !== undefined) {
        if (work.stage !== 'kill') work.abort.abort(new WherryError('aborted', 'the process is being killed'));
      } else if (row.stage === 'gather' || (row.stage === 'upload' && row.remote_directory === null)) {
        await this.#carryOutUnlessMoved(row, killed({ row }));
      } else if (afterJob.has(row.stage)) {
        await this.#carryOutUnlessMoved(row, killed({ row }));
      } else if (this.#blockedUntil() === undefined && (row.due_at ?? 0) <= now()) {
        this.#begin(row, 'kill', (context) => this.#kill(context));
      }
    }
  }

  async #kill(context: CalcJobContext): Promise<Transition | undefined> {
    const transition = await kill(context);
    if (transition !== undefined) return transition;
    const { store, now } = this.#tools;
    const at = now();
    await amend(
      store,
      context.row.id,
      { waiting_for: 'the end of its job, which was cancelled', waiting_since: at, due_at: at + killAgainAfter },
      { now: at, lease: this.lease },
    );
    return undefined;
  }

  #start(row: ProcessRow): void {
    const stage = row.stage ?? '';
    const verb = { upload, gather, submit, stash, retrieve }[stage];
    if (verb !== undefined || stage === 'parse') this.#begin(row, stage, verb);
  }

  #begin(
    row: ProcessRow,
    stage: string,
    verb: ((context: CalcJobContext) => Promise<Transition | undefined>) | undefined,
  ): void {
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
        if (current.stage !== 'parse' || current.lane !== null || !isFree || this.#parsing() >= places.parsing) return;
        const working = this.#working.get(row.id);
        if (working !== undefined) working.stage = 'parse';
        await this.#carryOut(current, await this.#parse(current, signal));
      } catch (error) {
        if (!signal.aborted) await this.#failed(current, error);
      }
    };
    this.#track(row, stage, abort, work(), verb !== undefined);
  }

  #track(row: ProcessRow, stage: string, abort: AbortController, work: Promise<void>, waiting = true): void {
    const done = work
      .catch((error: unknown) =>
        isStoreTrouble(error) ? this.#tools.storeTrouble(error) : stopDriving(this.#stop, error),
      )
      .finally(() => {
        this.#working.delete(row.id);
        this.#tools.wake();
      });
    this.#working.set(row.id, { abort, done, stage, waiting });
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
      const working = this.#working.get(row.id);
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
    if (after.stage === 'update') this.#monitors.lookAt = 0;
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
