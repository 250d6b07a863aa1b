import { randomUUID } from 'node:crypto';
import { requestCleaningBelow } from '../../calcjob/cleaned.js';
import { WherryError } from '../../errors.js';
import { linkLeaves, runStage } from '../../process/create.js';
import type { ProcessDefinition } from '../../process/definition.js';
import { exitCode } from '../../process/exit-code-template.js';
import { type ExitCode, standardExit, success } from '../../process/exit-codes.js';
import { checkOutput, checkOutputs, type Leaf } from '../../process/inputs.js';
import type { Transition } from '../../process/transition.js';
import type { NewEvent } from '../../store/events.js';
import { Prepared } from '../../store/prepared.js';
import type { StoreTransaction } from '../../store/store.js';
import type { ProcessRow, RecordTable } from '../../store/tables.js';
import type { CallRequest, ContextHost } from '../../workflow/context.js';
import type { Batch, ExecutionHost } from '../../workflow/execution.js';
import type { FunctionEnd } from '../../workflow/function-end.js';
import { fingerprintOf, type WorkflowRecord } from '../../workflow/record.js';
import type { LaneTools } from '../driver-tools.js';
import { excepted } from './excepted.js';
import { type ProcessPlace, prepareProcess, type ReadyProcess, storeProcess } from './new-process.js';

/** What became of a call that is ready to be stored. */
export type PreparedCall =
  | { readonly type: 'process'; readonly ready: ReadyProcess }
  | { readonly type: 'output'; readonly leaves: readonly Leaf[] };

/** A child that was stored. */
export interface StoredChild {
  readonly row: ProcessRow;
  readonly definition: ProcessDefinition;
}

/** What a workflow needs of the driver of its lane. */
export interface WorkflowKeeper {
  /** May a child be begun as soon as it is stored? */
  readonly hasRoom: () => boolean;
  /** Carries out a transition of the workflow. */
  readonly carryOut: (row: ProcessRow, transition: Transition) => Promise<ProcessRow>;
  /** Children were stored; those that run are begun now, those that have ended already are told of. */
  readonly begin: (children: readonly StoredChild[]) => void;
  /** The workflow has nothing to do but to wait. */
  readonly rests: () => void;
}

/** Records that are faster written one by one than by a query that is made for their number. */
const few = 8;
const insertRecord = new Prepared<RecordTable>((db, value) =>
  db.insertInto('records').values({
    process_id: value('process_id'),
    position: value('position'),
    type: value('type'),
    content: value('content'),
  }),
);

/** Stores what one workflow does, and makes its children. */
export class WorkflowHost implements ExecutionHost<PreparedCall>, ContextHost<PreparedCall> {
  readonly #tools: LaneTools;
  readonly #definition: ProcessDefinition;
  readonly #keeper: WorkflowKeeper;
  /** As it was written last. */
  row: ProcessRow;
  /** How many of the ends that woke it have been heard of. */
  heard: number;
  /** Its last transition, done or failed. */
  #moved: Promise<unknown> = Promise.resolve();
  /** Outputs that its function gave before its end, in this and in former lives. */
  emitted: ReadonlyMap<string, unknown> = new Map();
  /** Are the work directories of the calcjobs below it to be removed when it has ended with status 0? */
  cleansUp = false;

  constructor(tools: LaneTools, row: ProcessRow, definition: ProcessDefinition, keeper: WorkflowKeeper) {
    this.#tools = tools;
    this.row = row;
    this.heard = row.wakes;
    this.#definition = definition;
    this.#keeper = keeper;
  }

  get now(): () => number {
    return this.#tools.now;
  }

  get random(): () => number {
    return this.#tools.random;
  }

  readonly uuid = (): string => randomUUID();

  async prepare(request: CallRequest): Promise<PreparedCall> {
    const { repository } = this.#tools;
    if (request.type === 'output') {
      return { type: 'output', leaves: await checkOutput(this.#definition, request.label, request.value, repository) };
    }
    const { uuid, definition, inputs, options } = request;
    return { type: 'process', ready: await prepareProcess(this.#tools, definition, inputs, { ...options, uuid }) };
  }

  async commit(batch: Batch<PreparedCall>): Promise<void> {
    const end = batch.end === undefined ? undefined : await this.#endOf(batch.end);
    const children: StoredChild[] = [];
    const at = this.#tools.now();
    const transition: Transition = {
      ...(end?.transition ?? goesOn(batch.records, at)),
      events: batch.records.flatMap((record) => eventsOf(record, end === undefined)),
      also: async (transaction, row) => {
        const pausesItself = batch.records.some(({ type }) => type === 'pause');
        // What has come to its end may end; nothing new is begun by what is paused: it is replayed when it is played.
        if (end === undefined && !pausesItself && row.paused !== 0) {
          throw new WherryError('aborted', 'the process is paused');
        }
        // A transaction that is tried again begins anew.
        children.length = 0;
        await this.#writeRecords(transaction, batch);
        for (const call of batch.prepared) {
          if (call.type === 'output') await linkLeaves(transaction, this.row.id, 'output', call.leaves, at);
          else {
            const child = await storeProcess(transaction, call.ready, this.#place(), at);
            children.push({ row: child, definition: call.ready.definition });
          }
        }
        if (end === undefined) await lookAgainIfWoken(transaction, row, this.heard, at);
        else await linkLeaves(transaction, this.row.id, 'output', end.leaves, at);
        if (this.cleansUp && end?.transition.exit?.status === 0)
          await requestCleaningBelow(transaction, this.row.id, at);
      },
    };
    await this.move(() => transition);
    this.#keeper.begin(children);
  }

  /**
   * Carries out a transition, from where the one before has led: two at once would both begin at the same row, and the
   * second be refused. Errors: those of `carryOut`.
   * @param choose gives the transition when it is its turn; undefined: none any more
   */
  async move(choose: () => Transition | undefined): Promise<void> {
    const moved = this.#moved.then(async () => {
      const transition = choose();
      if (transition !== undefined) this.row = await this.#keeper.carryOut(this.row, transition);
    });
    this.#moved = moved.catch(() => undefined);
    return moved;
  }

  rests(): void {
    this.#keeper.rests();
  }

  /** Children stand where it stands, and their definitions are found where its own is. */
  #place(): ProcessPlace {
    const { id, lane, module } = this.row;
    if (lane === null) throw new WherryError('internal', `workflow ${id} stands in no lane`);
    return { parentId: id, lane, module, begun: this.#keeper.hasRoom() };
  }

  async #writeRecords(transaction: StoreTransaction, { position, records }: Batch<PreparedCall>): Promise<void> {
    const rows = records.map((record, index) => ({
      process_id: this.row.id,
      position: position + index,
      type: record.type,
      content: JSON.stringify(record),
    }));
    if (rows.length <= few) {
      for (const row of rows) await insertRecord.run(transaction, row);
      return;
    }
    for (let start = 0; start < rows.length; start += 500) {
      await transaction
        .insertInto('records')
        .values(rows.slice(start, start + 500))
        .execute();
    }
  }

  async #endOf(end: FunctionEnd): Promise<{ readonly transition: Transition; readonly leaves: readonly Leaf[] }> {
    if (end.kind === 'threw') {
      if (end.error instanceof WherryError && end.error.code === 'workflow-changed') throw end.error;
      return { transition: excepted(end.error), leaves: [] };
    }
    try {
      if (end.kind === 'exited') {
        const exit = exitCode(this.#definition, end.label, end.parameters);
        return { transition: { to: 'finished', exit }, leaves: [] };
      }
      const given = withEmitted(end.value, this.emitted);
      const { leaves, problems } = await checkOutputs(this.#definition, given, this.#tools.repository);
      const exit: ExitCode = problems.length === 0 ? success : standardExit('INVALID_OUTPUT', problems.join('; '));
      return { transition: { to: 'finished', exit }, leaves: leaves.filter(({ label }) => !this.#isEmitted(label)) };
    } catch (error) {
      return { transition: excepted(error), leaves: [] };
    }
  }

  #isEmitted(label: string): boolean {
    return [...this.emitted.keys()].some((emitted) => label === emitted || label.startsWith(`${emitted}.`));
  }
}

/** It runs, unless it has paused itself. */
function goesOn(records: readonly WorkflowRecord[], at: number): Transition {
  const running: Transition = { to: 'running', stage: runStage, dueAt: null };
  const pause = records.find((record) => record.type === 'pause');
  if (pause === undefined) return running;
  return { ...running, changes: { paused: 1, paused_reason: pause.reason, paused_at: at } };
}

function eventsOf(record: WorkflowRecord, goesOnAfter: boolean): NewEvent[] {
  if (record.type === 'report') {
    return [{ type: 'process.report', data: { level: 'info', message: record.message } }];
  }
  if (record.type === 'pause' && goesOnAfter) return [{ type: 'process.paused', data: { reason: record.reason } }];
  return [];
}

/**
 * One that something ended for, which it has not heard of, or that somebody wants killed, is due again at once.
 * @param row as it is in this transaction
 */
export async function lookAgainIfWoken(
  transaction: StoreTransaction,
  { id, wakes, kill_requested_at }: ProcessRow,
  heard: number,
  now: number,
): Promise<void> {
  if (wakes === heard && kill_requested_at === null) return;
  await transaction.updateTable('processes').set({ due_at: now }).where('id', '=', id).execute();
}

/** What a function returned, with what it gave before, under their dotted labels. */
function withEmitted(returned: unknown, emitted: ReadonlyMap<string, unknown>): unknown {
  if (emitted.size === 0) return returned;
  const given: Record<string, unknown> = { ...(returned as object | undefined) };
  for (const [label, value] of emitted) {
    const names = label.split('.');
    const last = names.pop() ?? label;
    let place = given;
    for (const name of names) {
      const inner = { ...(place[name] as object | undefined) } as Record<string, unknown>;
      place[name] = inner;
      place = inner;
    }
    // The types of a workflow ask it to return what it gave before as well.
    if (place[last] !== undefined && fingerprintOf(place[last]) !== fingerprintOf(value)) {
      throw new WherryError('bad-definition', `the output ${label} was given twice, and not the same`);
    }
    place[last] = value;
  }
  return given;
}
