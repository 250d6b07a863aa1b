import { WherryError } from '../../errors.js';
import { runStage } from '../../process/create.js';
import { assembleInputs } from '../../process/inputs.js';
import { type ProcessReference, runCodeIn } from '../../process/process-stack.js';
import { Prepared } from '../../store/prepared.js';
import type { StoreTransaction } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';
import { type Caller, withCaller } from '../../workflow/caller.js';
import { WorkflowContext } from '../../workflow/context.js';
import type { WorkflowDefinition } from '../../workflow/define-workflow.js';
import { Execution } from '../../workflow/execution.js';
import type { WorkflowRecord } from '../../workflow/record.js';
import type { ProcessResult } from '../../workflow/result.js';
import type { LaneTools } from '../driver-tools.js';
import { type ChildResults, namedData, resultsOfChildren } from './results.js';
import { lookAgainIfWoken, type PreparedCall, WorkflowHost, type WorkflowKeeper } from './workflow-host.js';

/** Milliseconds that a workflow has done nothing before it is written down that it waits. */
const restsAfter = 100;
/** Milliseconds: one that waits for nothing else, and so long, is not worth being kept in memory. */
const longSleep = 60_000;

const recordsOf = new Prepared<{ id: number }, { content: string }>((db, value) =>
  db.selectFrom('records').select('content').where('process_id', '=', value('id')).orderBy('position'),
);

/** One workflow in memory: its function, as far as it has come. */
export class WorkflowRun {
  readonly #tools: LaneTools;
  readonly #host: WorkflowHost;
  readonly #execution: Execution<PreparedCall>;
  readonly reference: ProcessReference;
  /** Who called it, from the outermost to the innermost. */
  readonly callers: readonly ProcessReference[];
  /** Since when it has been found idle. */
  #idleSince: number | undefined;
  /** Its row is due, and has been looked at. */
  #poked = false;
  /** Its end, or why it ended before: see `Execution.run`. */
  readonly done: Promise<void>;

  private constructor(
    tools: LaneTools,
    host: WorkflowHost,
    execution: Execution<PreparedCall>,
    callers: readonly ProcessReference[],
    work: () => Promise<unknown>,
  ) {
    this.#tools = tools;
    this.#host = host;
    this.#execution = execution;
    this.callers = callers;
    const { id, uuid, name } = host.row;
    this.reference = { id, uuid, name };
    this.done = execution.run(() => runCodeIn(this.reference, work, callers));
    // It may be stopped before anybody waits for it.
    this.done.catch(() => undefined);
  }

  /** Begins a workflow, or goes on with it from its record. */
  static async create(
    tools: LaneTools,
    keeper: WorkflowKeeper,
    begun: ProcessRow,
    definition: WorkflowDefinition,
    callers: readonly ProcessReference[],
  ): Promise<WorkflowRun> {
    const { store, repository } = tools;
    const locate = (sha256: string) => repository.locate(sha256);
    const stored = await recordsOf.run(store, { id: begun.id });
    const records = JSON.parse(`[${stored.rows.map(({ content }) => content).join()}]`) as WorkflowRecord[];
    const at = tools.now();
    const also = (transaction: StoreTransaction, row: ProcessRow) =>
      lookAgainIfWoken(transaction, row, begun.wakes, at);
    // Read before its children: what ends afterwards wakes it again.
    const row =
      begun.state === 'running'
        ? begun
        : await keeper.carryOut(begun, { to: 'running', stage: runStage, dueAt: null, also });
    const results: ChildResults = records.length === 0 ? new Map() : await resultsOfChildren(store, locate, row.id);
    const { values, data } = assembleInputs(definition, await namedData(store, locate, row.id, 'inputs'));
    if (row.version !== definition.version) {
      throw new WherryError(
        'workflow-changed',
        `process ${row.id} was begun with version ${row.version} of ${row.name}, which now has version ${definition.version}`,
        { hint: 'put the former definition back and play the process, or kill it and submit it anew' },
      );
    }
    const host = new WorkflowHost(tools, row, definition, keeper);
    const execution = new Execution<PreparedCall>(host, records, results);
    const context = new WorkflowContext(execution as Execution<unknown>, host, data);
    host.emitted = context.emitted;
    const inputs = definition.takesData === true ? data : values;
    host.cleansUp = definition.cleansUp?.(inputs as never) ?? false;
    const caller: Caller = {
      call: (called, given, options) =>
        context.submit(called, given as never, options).result() as Promise<ProcessResult>,
    };
    const work = () => withCaller(caller, () => definition.run(context as never, inputs as never));
    return new WorkflowRun(tools, host, execution, callers, work);
  }

  get row(): ProcessRow {
    return this.#host.row;
  }

  /** Does it wait for nothing but its children and the time? */
  get idle(): boolean {
    return this.#execution.idle;
  }

  /** Is it idle, and is that written down? */
  get resting(): boolean {
    return this.idle && this.row.state === 'waiting' && !this.#poked;
  }

  /** Does it wait for the time alone, and that for long? */
  get sleepsLong(): boolean {
    const { awaited, wakesAt } = this.#execution;
    return awaited.length === 0 && wakesAt !== undefined && wakesAt - this.#tools.now() > longSleep;
  }

  stop(reason: WherryError): void {
    this.#execution.stop(reason);
  }

  /** A child has ended; its end has woken the row as well. */
  childEnded(uuid: string, result: ProcessResult): void {
    this.#host.heard += 1;
    this.#execution.ended(uuid, result);
  }

  /** Its row is due: what has happened is looked for. @param row as it is now */
  async poke(row: ProcessRow): Promise<void> {
    const { store, repository } = this.#tools;
    this.#host.heard = row.wakes;
    this.#poked = true;
    const locate = (sha256: string) => repository.locate(sha256);
    const results = await resultsOfChildren(store, locate, row.id, this.#execution.awaited);
    for (const [uuid, result] of results) this.#execution.ended(uuid, result());
    this.#execution.wake();
  }

  /** When it is to be written down that it waits; undefined where it does not, or where that is written already. */
  get restsAt(): number | undefined {
    if (!this.idle) this.#idleSince = undefined;
    else this.#idleSince ??= this.#tools.now();
    const isNew = this.row.state === 'running' || this.#poked;
    return this.#idleSince === undefined || !isNew ? undefined : this.#idleSince + restsAfter;
  }

  /** Writes down that it waits. */
  async rest(): Promise<void> {
    await this.#host.move(() => {
      const waitingFor = this.idle ? this.#waitingFor() : undefined;
      if (waitingFor === undefined) return undefined;
      const at = this.#tools.now();
      this.#poked = false;
      return {
        to: 'waiting',
        stage: runStage,
        dueAt: this.#execution.wakesAt ?? null,
        changes: { waiting_for: waitingFor, waiting_since: this.row.state === 'waiting' ? this.row.waiting_since : at },
        also: (transaction, row) => lookAgainIfWoken(transaction, row, this.#host.heard, at),
      };
    });
  }

  /** In words; undefined where it waits for something of its own that nobody knows. */
  #waitingFor(): string | undefined {
    const children = this.#execution.awaited.length;
    const wakesAt = this.#execution.wakesAt;
    const parts = [
      ...(children === 0
        ? []
        : [
            children === 1 ? 'the end of a process that it called' : `the ends of ${children} processes that it called`,
          ]),
      ...(wakesAt === undefined ? [] : [`the time to be ${new Date(wakesAt).toISOString()}`]),
    ];
    return parts.length === 0 ? undefined : parts.join(', or ');
  }
}
