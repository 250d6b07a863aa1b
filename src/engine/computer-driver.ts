import type { CalcJobContext } from '../calcjob/context.js';
import { kill, killed } from '../calcjob/kill.js';
import { parse } from '../calcjob/parse.js';
import { retrieve } from '../calcjob/retrieve.js';
import { submit } from '../calcjob/submit.js';
import { upload } from '../calcjob/upload.js';
import type { Job } from '../config/job.js';
import { messageOf, WherryError } from '../errors.js';
import type { Connection } from '../plugin/transport.js';
import { callHooks } from '../process/hooks.js';
import { runInProcess } from '../process/process-stack.js';
import { amend, carryOut, stateOf, type Transition } from '../process/transition.js';
import type { Lease } from '../store/leases.js';
import type { ComputerRow, ProcessRow } from '../store/tables.js';
import { ComputerPoll, stopDriving } from './computer-poll.js';
import type { DriverTools } from './driver-tools.js';
import { dueRows, killIntents, unsettledRows } from './due-work.js';
import { consequenceOf } from './failure.js';
import { type LoadedComputer, loadComputer } from './loaded-computer.js';
import { allowance } from './throttle.js';

/** Verbs in progress at once on one computer; the connection bounds their channels further. */
const verbsAtOnce = 16;
/** Milliseconds after which an unconfirmed cancel is sent again. */
const killAgainAfter = 15_000;

interface Work {
  readonly abort: AbortController;
  readonly done: Promise<void>;
  readonly stage: string;
  /** Does it still wait for its turn on the connection? */
  waiting: boolean;
}

/** Drives the calcjobs of one computer while it holds that computer's lease. */
export class ComputerDriver {
  readonly lease: Lease;
  readonly #tools: DriverTools;
  readonly #stop = new AbortController();
  readonly #working = new Map<number, Work>();
  #computer: LoadedComputer;
  readonly #poll: ComputerPoll;

  private constructor(tools: DriverTools, lease: Lease, computer: LoadedComputer) {
    this.#tools = tools;
    this.lease = lease;
    this.#computer = computer;
    this.#poll = new ComputerPoll(
      tools,
      lease,
      this.#stop,
      (row, transition) => this.#carryOut(row, transition),
      (row, error) => this.#failed(row, error),
    );
  }

  static async create(tools: DriverTools, lease: Lease, row: ComputerRow): Promise<ComputerDriver> {
    return new ComputerDriver(tools, lease, await loadComputer(row));
  }

  get computerId(): number {
    return this.#computer.row.id;
  }

  /** Is anything in progress? */
  get busy(): boolean {
    return this.#working.size > 0 || this.#poll.busy;
  }

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
    const { store, now } = this.#tools;
    await this.#carryOutKills();
    const blockedUntil = this.#blockedUntil();
    const at = now();
    const room = verbsAtOnce - this.#working.size;
    const stages = blockedUntil === undefined ? ['upload', 'retrieve', 'parse'] : ['parse'];
    const busy = [...this.#working.keys()];
    if (room > 0) for (const row of await dueRows(store, this.computerId, stages, at, room, busy)) this.#start(row);
    if (blockedUntil === undefined) {
      await this.#startSubmissions(at);
      await this.#poll.start(this.#computer, at);
    }
    return this.#nextDue(at, blockedUntil);
  }

  /** Gives up what still waits for its turn; what has begun goes on. */
  drain(): void {
    const reason = new WherryError('aborted', 'the driver ends');
    for (const work of this.#working.values()) if (work.waiting) work.abort.abort(reason);
  }

  /** Stops what is in progress and waits for its end. */
  async stop(reason: WherryError): Promise<void> {
    this.#stop.abort(reason);
    for (const work of this.#working.values()) work.abort.abort(reason);
    await Promise.all([...this.#working.values()].map((work) => work.done));
    await this.#poll.settled;
    await this.#tools.queue.close(this.computerId);
  }

  /** Takes over changes of the configuration at once; false when the computer is gone or cannot be loaded. */
  async #refresh(): Promise<boolean> {
    const { store, queue } = this.#tools;
    const row = await store.selectFrom('computers').selectAll().where('id', '=', this.computerId).executeTakeFirst();
    if (row === undefined) return false;
    if (row.config === this.#computer.row.config) {
      this.#computer = { ...this.#computer, row };
      return true;
    }
    if (this.busy) return true;
    await queue.close(row.id);
    this.#computer = await loadComputer(row);
    return true;
  }

  /** Infinity while a hold is on, a time while an unreachable computer is left alone. */
  #blockedUntil(): number | undefined {
    const { row } = this.#computer;
    if (row.hold !== null) return Number.POSITIVE_INFINITY;
    if (this.#tools.queue.isOpen(row.id)) return undefined;
    return row.open_after !== null && row.open_after > this.#tools.now() ? row.open_after : undefined;
  }

  async #startSubmissions(at: number): Promise<void> {
    const { store } = this.#tools;
    const busy = () => [...this.#working.keys()];
    const places = () => verbsAtOnce - this.#working.size;
    const unsettled = await unsettledRows(store, this.computerId, at, Math.max(0, places()), busy());
    for (const row of unsettled) this.#start(row);
    const submitting = [...this.#working.values()].filter((work) => work.stage === 'submit').length;
    if (places() <= 0) return;
    const rows = await dueRows(store, this.computerId, ['submit'], at, places(), busy());
    if (rows.length === 0) return;
    const allowed = await allowance(store, this.#computer, at);
    const count = Math.max(0, allowed.count - submitting);
    for (const row of rows.slice(0, count)) this.#start(row);
    const kept = rows.slice(count).filter((row) => row.waiting_for !== allowed.reason);
    for (const row of kept) {
      await amend(
        store,
        row.id,
        { waiting_for: allowed.reason ?? null, waiting_since: at },
        { now: at, lease: this.lease },
      );
    }
  }

  async #carryOutKills(): Promise<void> {
    const { store, now } = this.#tools;
    for (const row of await killIntents(store, this.computerId)) {
      const work = this.#working.get(row.id);
      if (work !== undefined) {
        if (work.stage !== 'kill') work.abort.abort(new WherryError('aborted', 'the process is being killed'));
      } else if (row.stage === 'upload' && row.remote_directory === null) {
        await this.#carryOut(row, killed({ row }));
      } else if (row.stage === 'retrieve' || row.stage === 'parse') {
        await this.#carryOut(row, killed({ row }));
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
    const verb = { upload, submit, retrieve }[stage];
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
      try {
        const transition = await runInProcess({ id: row.id, uuid: row.uuid, name: row.name }, () =>
          verb === undefined ? parse(row) : this.#onConnection(row, signal, verb),
        );
        if (transition !== undefined) await this.#carryOut(row, transition);
      } catch (error) {
        if (!signal.aborted) await this.#failed(row, error);
      }
    };
    const done = work()
      .catch((error: unknown) => stopDriving(this.#stop, error))
      .finally(() => {
        this.#working.delete(row.id);
        this.#tools.wake();
      });
    this.#working.set(row.id, { abort, done, stage, waiting: verb !== undefined });
  }

  async #onConnection(
    row: ProcessRow,
    signal: AbortSignal,
    verb: (context: CalcJobContext) => Promise<Transition | undefined>,
  ): Promise<Transition | undefined> {
    const { store, repository, queue, now, nonce } = this.#tools;
    const computer = this.#computer;
    const job = JSON.parse(row.inputs) as Job;
    return queue.use(computer, signal, (connection: Connection) => {
      const working = this.#working.get(row.id);
      if (working !== undefined) working.waiting = false;
      return verb({ row, job, computer, connection, store, repository, lease: this.lease, signal, now, nonce });
    });
  }

  async #carryOut(row: ProcessRow, transition: Transition): Promise<void> {
    const { store, hooks, now } = this.#tools;
    const after = await carryOut(store, row, transition, { now: now(), lease: this.lease });
    const change = { id: row.id, from: stateOf(row), to: stateOf(after), stage: after.stage };
    callHooks(hooks, change, (error) => process.emitWarning(`a hook of process ${row.id} failed: ${messageOf(error)}`));
  }

  async #failed(row: ProcessRow, error: unknown): Promise<void> {
    if (error instanceof WherryError && error.code === 'lease-lost') throw error;
    const { store, now, random } = this.#tools;
    const at = now();
    const consequence = consequenceOf(row, error, at, random());
    if (consequence.kind === 'except') {
      const { code, message, stack } = consequence;
      await this.#carryOut(row, { to: 'excepted', exception: { code, message, stack } });
      return;
    }
    await amend(store, row.id, consequence.changes, { now: at, lease: this.lease, events: consequence.events });
  }

  async #nextDue(at: number, blockedUntil: number | undefined): Promise<number | undefined> {
    const row = await this.#tools.store
      .selectFrom('processes')
      .select((columns) => columns.fn.min('due_at').as('due'))
      .where('computer_id', '=', this.computerId)
      .where('due_at', '>', at)
      .where('paused', '=', 0)
      .executeTakeFirst();
    const times = [
      row?.due === null || row?.due === undefined ? undefined : Number(row.due),
      // No listing begins before the computer may be spoken to again.
      blockedUntil === undefined ? await this.#poll.nextAt(this.#computer, at) : undefined,
      blockedUntil !== undefined && Number.isFinite(blockedUntil) ? blockedUntil : undefined,
    ].filter((time) => time !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }
}
