import { randomUUID } from 'node:crypto';
import type { CalcJobDefinition } from '../../calcjob/define-calcjob.js';
import { killed } from '../../calcjob/kill.js';
import { messageOf, WherryError } from '../../errors.js';
import type { ProcessDefinition } from '../../process/definition.js';
import { callHooks } from '../../process/hooks.js';
import type { ProcessReference } from '../../process/process-stack.js';
import { amend, carryOut, type MovingRow, stateOf, type Transition } from '../../process/transition.js';
import { fenced, type Lease } from '../../store/leases.js';
import { isStoreTrouble } from '../../store/store-trouble.js';
import type { ProcessRow } from '../../store/tables.js';
import type { CallOptions } from '../../workflow/context.js';
import type { WorkflowDefinition } from '../../workflow/define-workflow.js';
import type { FunctionDefinition } from '../../workflow/functions.js';
import type { ProcessResult } from '../../workflow/result.js';
import { stopDriving } from '../computer-poll.js';
import type { LaneTools } from '../driver-tools.js';
import { requestKill } from '../intents.js';
import type { WorkDriver } from '../work-driver.js';
import { parseCalcJob } from './calcjob-run.js';
import { callersOf } from './callers.js';
import type { DefinitionSource } from './definition-source.js';
import { excepted } from './excepted.js';
import { runFunction } from './function-run.js';
import { dueLaneRows, laneKills, livingChildren, nextLaneTime, stillDue } from './lane-work.js';
import { prepareProcess, storeProcess } from './new-process.js';
import { storedResult } from './results.js';
import { Waiters } from './waiters.js';
import type { StoredChild, WorkflowKeeper } from './workflow-host.js';
import { WorkflowRun } from './workflow-run.js';

/** Most processes that are worked on before more are begun, and rows that are read at once. */
const places = { working: 64, parsing: 8, rows: 128 } as const;
/** Milliseconds between two looks at what is being killed. */
const killInterval = 500;

/** Runs the workflows and functions of one lane while it holds the lane's lease. */
export class LaneDriver implements WorkDriver {
  readonly lease: Lease;
  readonly lane: string;
  readonly #tools: LaneTools;
  readonly #definitions: DefinitionSource;
  readonly #stop = new AbortController();
  readonly #workflows = new Map<number, WorkflowRun>();
  /** Those of them that may have something to do; the others wait, and that is written down. */
  readonly #awake = new Set<WorkflowRun>();
  /** Functions that run, and rows that are about to. */
  readonly #functions = new Map<number, Promise<void>>();
  readonly #starting = new Map<number, Promise<void>>();
  /** Calcjobs whose results are being read. */
  readonly #parsing = new Set<number>();
  /** Functions, and this program itself, that wait for what they have called. */
  readonly #waiters: Waiters;
  /** Functions that wait for processes that they have called, and for how many. */
  readonly #calling = new Map<number, number>();
  /** Rows that nobody in here works on any more, though they are not due: they are begun anew. */
  readonly #dropped = new Set<number>();
  #isNew = true;
  #draining = false;
  readonly #keeper: WorkflowKeeper;

  readonly #resting: number;

  /** @param resting how many workflows that wait are kept in memory: they are only a little faster to wake */
  constructor(tools: LaneTools, lease: Lease, lane: string, definitions: DefinitionSource, resting: number) {
    this.#resting = resting;
    this.#tools = tools;
    this.#waiters = new Waiters(tools);
    this.lease = lease;
    this.lane = lane;
    this.#definitions = definitions;
    this.#keeper = {
      hasRoom: () => this.#working < places.working && !this.#draining,
      carryOut: (row, transition) => this.#carryOut(row, transition),
      begin: (children) => this.#beginAll(children),
      rests: () => this.#tools.wake(),
    };
  }

  get busy(): boolean {
    return this.steps > 0;
  }

  get steps(): number {
    let working = 0;
    for (const run of this.#awake) if (!run.idle) working++;
    return this.#functions.size + this.#starting.size + working;
  }

  /** What keeps others from beginning: not those that wait for what they have called. */
  get #working(): number {
    return this.steps - this.#calling.size;
  }

  get mustSettle(): boolean {
    return this.#functions.size > 0;
  }

  get holdsOn(): boolean {
    return this.#functions.size > 0 || this.#starting.size > 0 || this.#awake.size > 0 || this.#waiters.size > 0;
  }

  get stopped(): AbortSignal {
    return this.#stop.signal;
  }

  async step(): Promise<number | undefined> {
    if (this.#stop.signal.aborted) return undefined;
    const { store, now } = this.#tools;
    await this.#takeUpDropped();
    for (const row of await laneKills(store, this.lane, now())) await this.#kill(row);
    await this.#startDue();
    const restsAt = await this.#restAll();
    this.#makeRoom();
    await this.#waiters.look();
    const next = Math.min(restsAt, (await nextLaneTime(store, this.lane, now())) ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(next) ? next : undefined;
  }

  drain(): void {
    this.#draining = true;
    const reason = new WherryError('aborted', 'the driver ends');
    for (const run of this.#workflows.values()) run.stop(reason);
  }

  abandon(reason: WherryError): void {
    this.#draining = true;
    this.#stop.abort(reason);
    for (const run of this.#workflows.values()) run.stop(reason);
    this.#waiters.fail(reason);
  }

  async stop(reason: WherryError): Promise<void> {
    this.abandon(reason);
    // A function cannot be interrupted: what it gives after this is refused, for the lease is gone by then.
    await Promise.all(this.#starting.values());
    await Promise.all([...this.#workflows.values()].map((run) => run.done.catch(() => undefined)));
  }

  /**
   * Stores a process, begins it, and waits for its end.
   * Errors: InputError for its inputs; `aborted` when this driver ends before.
   * @param parent who calls it
   */
  async call(
    definition: ProcessDefinition,
    given: unknown,
    options: CallOptions = {},
    parent?: ProcessRow,
  ): Promise<ProcessResult> {
    const { store, now } = this.#tools;
    const module = parent === undefined ? await this.#definitions.moduleOf(definition.name) : parent.module;
    if (this.#stop.signal.aborted) throw this.#stop.signal.reason;
    const uuid = randomUUID();
    const ready = await prepareProcess(this.#tools, definition, given, { ...options, uuid });
    const place = { parentId: parent?.id ?? null, module, lane: this.lane, begun: true };
    const ended = this.#waiters.endOf(uuid);
    const row = await fenced(store, this.lease, (transaction) => storeProcess(transaction, ready, place, now()), {
      repeatable: true,
    }).catch((error: unknown) => {
      this.#waiters.forget(uuid);
      throw error;
    });
    this.#beginAll([{ row, definition }]);
    return parent === undefined ? ended : this.#whileCalling(parent.id, ended);
  }

  async #whileCalling<T>(id: number, ended: Promise<T>): Promise<T> {
    this.#calling.set(id, (this.#calling.get(id) ?? 0) + 1);
    try {
      return await ended;
    } finally {
      const left = (this.#calling.get(id) ?? 1) - 1;
      if (left === 0) this.#calling.delete(id);
      else this.#calling.set(id, left);
    }
  }

  /**
   * Code of a process failed where nobody could catch it, in a timer say: that ends the process and nothing else.
   * @returns false when this driver does not work on it
   */
  fail(id: number, error: unknown): boolean {
    const run = this.#workflows.get(id);
    if (run === undefined && !this.#functions.has(id)) return false;
    this.#letGo(id, new WherryError('aborted', 'its code failed'));
    // What it gives after this is refused.
    this.#functions.delete(id);
    const { store } = this.#tools;
    store
      .selectFrom('processes')
      .selectAll()
      .where('id', '=', id)
      .executeTakeFirstOrThrow()
      .then((row) => this.#failed(row, error))
      .catch((next: unknown) => stopDriving(this.#stop, next))
      .finally(() => this.#tools.wake());
    return true;
  }

  /** What was being worked on when a former driver ended, or failed here, is due again. */
  async #takeUpDropped(): Promise<void> {
    if (!this.#isNew && this.#dropped.size === 0) return;
    const { store, now } = this.#tools;
    const ids = [...this.#dropped];
    await fenced(store, this.lease, async (transaction) => {
      const rows = transaction
        .updateTable('processes')
        .set({ due_at: now() })
        .where('lane', '=', this.lane)
        .where('ended_at', 'is', null);
      if (this.#isNew) await rows.where('state', '=', 'running').execute();
      for (let start = 0; start < ids.length; start += 500) {
        await rows.where('id', 'in', ids.slice(start, start + 500)).execute();
      }
    });
    this.#isNew = false;
    for (const id of ids) this.#dropped.delete(id);
  }

  async #startDue(): Promise<void> {
    if (this.#draining) return;
    const { store, now } = this.#tools;
    const busy = new Set([...this.#functions.keys(), ...this.#starting.keys()]);
    const due = await dueLaneRows(store, this.lane, now(), places.rows, busy);
    for (const id of this.#parsing) if (!busy.has(id)) this.#parsing.delete(id);
    let free = places.working - this.#working;
    const chosen = due.filter(({ id, stage }) => {
      if (stage !== 'parse') return this.#workflows.has(id) || free-- > 0;
      // Has places of its own: a function that holds one may wait for it. What is read at once may be large.
      const hasPlace = this.#parsing.size < places.parsing;
      if (hasPlace) this.#parsing.add(id);
      return hasPlace;
    });
    const ids = chosen.map(({ id }) => id);
    for (const row of await stillDue(store, ids, now())) {
      const run = this.#workflows.get(row.id);
      if (run === undefined) this.#start(row);
      else {
        this.#awake.add(run);
        await run.poke(row);
      }
    }
  }

  /** Workflows that wait are rows: most of them need not be in memory. */
  #makeRoom(): void {
    let tooMany = this.#workflows.size - this.#awake.size - this.#resting;
    for (const [id, run] of this.#workflows) {
      if (tooMany <= 0) return;
      if (this.#awake.has(run)) continue;
      // Whoever came first has waited longest, and may wait longest.
      this.#letGo(id, new WherryError('aborted', 'it waits'));
      tooMany -= 1;
    }
  }

  /** Works no longer on a workflow. */
  #letGo(id: number, reason: WherryError): void {
    const run = this.#workflows.get(id);
    if (run === undefined) return;
    this.#workflows.delete(id);
    this.#awake.delete(run);
    run.stop(reason);
  }

  #beginAll(children: readonly StoredChild[]): void {
    for (const { row, definition } of children) {
      if (row.ended_at !== null) void this.#announce(row).catch((error: unknown) => this.#failed(row, error));
      else if (row.state === 'running') this.#begin(row, definition);
    }
    this.#tools.wake();
  }

  #start(row: ProcessRow): void {
    this.#track(this.#starting, row, async () => {
      const definition = await this.#definitions.of(row);
      this.#begin(row, definition);
    });
  }

  #begin(row: ProcessRow, definition: ProcessDefinition): void {
    const carryOutHere = (moved: ProcessRow, transition: Transition) => this.#carryOut(moved, transition);
    if (definition.kind === 'calcjob') {
      const calcJob = definition as CalcJobDefinition;
      this.#track(this.#functions, row, async () =>
        parseCalcJob(this.#tools, row, calcJob, carryOutHere, await this.#callersOf(row)),
      );
      return;
    }
    if (definition.kind === 'function') {
      const caller = (parent: ProcessRow) => ({
        call: (called: ProcessDefinition, inputs: unknown, options?: CallOptions) =>
          this.call(called, inputs, options, parent),
      });
      this.#track(this.#functions, row, async () => {
        const callers = await this.#callersOf(row);
        await runFunction(this.#tools, row, definition as FunctionDefinition, carryOutHere, caller, callers);
      });
      return;
    }
    this.#track(this.#starting, row, async () => {
      const run = await WorkflowRun.create(
        this.#tools,
        this.#keeper,
        row,
        definition as WorkflowDefinition,
        await this.#callersOf(row),
      );
      if (this.#draining) return run.stop(new WherryError('aborted', 'the driver ends'));
      this.#workflows.set(row.id, run);
      this.#awake.add(run);
      run.done
        .catch((error: unknown) => this.#failed(run.row, error))
        .finally(() => {
          this.#awake.delete(run);
          if (this.#workflows.get(row.id) === run) this.#workflows.delete(row.id);
          this.#tools.wake();
        });
    });
  }

  #track(place: Map<number, Promise<void>>, row: ProcessRow, work: () => Promise<void>): void {
    const done = work()
      .catch((error: unknown) => this.#failed(row, error))
      .finally(() => {
        if (place.get(row.id) === done) place.delete(row.id);
        this.#tools.wake();
      });
    place.set(row.id, done);
  }

  /** Has written down which workflows wait. @returns when that is to be done for the next of them */
  async #restAll(): Promise<number> {
    const now = this.#tools.now();
    let next = Number.POSITIVE_INFINITY;
    const resting: Promise<void>[] = [];
    for (const run of this.#awake) {
      const at = run.restsAt;
      if (at !== undefined && at > now) next = Math.min(next, at);
      else if (at !== undefined || run.resting) resting.push(this.#rest(run));
    }
    await Promise.all(resting);
    return next;
  }

  async #rest(run: WorkflowRun): Promise<void> {
    try {
      if (!run.resting) await run.rest();
      if (!run.resting) return;
      this.#awake.delete(run);
      if (run.sleepsLong) this.#letGo(run.reference.id, new WherryError('aborted', 'it sleeps'));
    } catch (error) {
      await this.#failed(run.row, error);
    }
  }

  /** Who called a process: of most it is known in here. */
  async #callersOf(row: ProcessRow): Promise<readonly ProcessReference[]> {
    const caller = row.parent_id === null ? undefined : this.#workflows.get(row.parent_id);
    return caller === undefined ? callersOf(this.#tools.store, row) : [...caller.callers, caller.reference];
  }

  /** What becomes of a process whose work failed in here. Never fails itself. */
  async #failed(row: ProcessRow, error: unknown): Promise<void> {
    const code = error instanceof WherryError ? error.code : undefined;
    if (this.#stop.signal.aborted || code === 'aborted' || code === 'transition-refused') return;
    try {
      if (code === 'lease-lost') throw error;
      if (isStoreTrouble(error)) {
        this.#dropped.add(row.id);
        this.#tools.storeTrouble(error);
      } else if (code === 'workflow-changed') await this.#pause(row, messageOf(error));
      else await this.#carryOut(row, excepted(error));
    } catch (next) {
      if (next instanceof WherryError && next.code === 'transition-refused') return;
      if (isStoreTrouble(next)) {
        this.#dropped.add(row.id);
        this.#tools.storeTrouble(next);
      } else stopDriving(this.#stop, next);
    }
  }

  async #pause(row: ProcessRow, reason: string): Promise<void> {
    const at = this.#tools.now();
    await amend(
      this.#tools.store,
      row.id,
      { paused: 1, paused_reason: reason, paused_at: at, due_at: at },
      { now: at, lease: this.lease, events: [{ type: 'process.paused', data: { reason } }] },
    );
  }

  /** First its children, then itself: so nothing that it called is left behind. */
  async #kill(row: ProcessRow): Promise<void> {
    const { store, now } = this.#tools;
    const reason = new WherryError('aborted', 'the process is being killed');
    this.#letGo(row.id, reason);
    // It cannot be interrupted; what comes of it is refused.
    this.#functions.delete(row.id);
    const children = await livingChildren(store, row.id);
    for (const child of children) {
      if (child.kill_requested_at === null)
        await requestKill(store, child, `process ${row.id}, which called it, is killed`, now());
    }
    if (children.length === 0) {
      await this.#carryOut(row, killed({ row })).catch((error: unknown) => this.#failed(row, error));
      return;
    }
    const waiting = `the ends of ${children.length} processes that it called, which are being killed`;
    await amend(
      store,
      row.id,
      { waiting_for: waiting, waiting_since: row.waiting_since ?? now(), due_at: now() + killInterval },
      { now: now(), lease: this.lease },
    );
  }

  async #carryOut(row: MovingRow, transition: Transition): Promise<ProcessRow> {
    const { store, repository, hooks, now } = this.#tools;
    const after = await carryOut(store, row, transition, { now: now(), lease: this.lease });
    if (after.ended_at !== null) await repository.forget(after.uuid);
    const change = { id: row.id, from: stateOf(row), to: stateOf(after), stage: after.stage };
    callHooks(hooks, change, (error) => process.emitWarning(`a hook of process ${row.id} failed: ${messageOf(error)}`));
    if (after.ended_at !== null) await this.#announce(after);
    else if (after.paused !== 0) this.#workflows.get(row.id)?.stop(new WherryError('aborted', 'it is paused'));
    return after;
  }

  /** Who waits for it in here need not wait for the next look into the store. */
  async #announce(row: ProcessRow): Promise<void> {
    const parent = row.parent_id === null ? undefined : this.#workflows.get(row.parent_id);
    if (!this.#waiters.has(row.uuid) && parent === undefined) return;
    const result = await storedResult(this.#tools, row);
    this.#waiters.tell(result);
    if (parent === undefined) return;
    this.#awake.add(parent);
    parent.childEnded(row.uuid, result);
  }
}
