import { createHash } from 'node:crypto';
import { canonicalJson, insertData, insertLinks, type StoredData } from '../store/data.js';
import { type EventData, type NewEvent, writeEvents } from '../store/events.js';
import { Prepared } from '../store/prepared.js';
import type { StoreTransaction } from '../store/store.js';
import type { ProcessRow } from '../store/tables.js';
import type { ProcessDefinition, ProcessKind } from './definition.js';
import type { Leaf } from './inputs.js';

/** A process of a definition that is to be stored. */
export interface NewProcess {
  readonly uuid: string;
  readonly definition: Pick<ProcessDefinition, 'name' | 'kind' | 'version'>;
  readonly label: string;
  readonly description: string;
  readonly inputs: readonly Leaf[];
  readonly parentId: number | null;
  /** Whose driver runs its code. */
  readonly lane: string;
  /** Where its definition is found; null when it is built in, or only this program knows it. */
  readonly module: string | null;
  /** See `cacheKey`; null: it is never taken over from. */
  readonly fingerprint: string | null;
  /** Whoever stores it begins it at once. */
  readonly begun: boolean;
}

/** The stage of everything that is not a calcjob. */
export const runStage = 'run';

/** Stores a process with its inputs; done twice with the same uuid it is done once. */
export async function insertProcess(transaction: StoreTransaction, made: NewProcess, now: number): Promise<ProcessRow> {
  const { definition, begun } = made;
  const { kind, name, version } = definition;
  const state = begun ? 'running' : 'created';
  const { rows } = await insertion.run(transaction, {
    ...made,
    kind,
    name,
    version,
    state,
    now,
    due: begun ? null : now,
  });
  const [row] = rows;
  if (row === undefined) {
    return transaction.selectFrom('processes').selectAll().where('uuid', '=', made.uuid).executeTakeFirstOrThrow();
  }
  await linkLeaves(transaction, row.id, 'input', made.inputs, now);
  const events: NewEvent[] = [createdEvent(row)];
  if (begun) events.push({ type: 'process.state', data: { from: 'created', to: 'running' } });
  await writeEvents(transaction, row.id, now, events);
  return row;
}

const insertion = new Prepared<
  Omit<NewProcess, 'inputs' | 'begun'> & {
    kind: string;
    name: string;
    version: number;
    state: string;
    now: number;
    due: number | null;
  },
  ProcessRow
>((db, value) =>
  db
    .insertInto('processes')
    .values({
      uuid: value('uuid'),
      kind: value('kind'),
      name: value('name'),
      version: value('version'),
      label: value('label'),
      description: value('description'),
      state: value('state'),
      stage: runStage,
      stage_since: value('now'),
      inputs: '{}',
      created_at: value('now'),
      updated_at: value('now'),
      due_at: value('due'),
      parent_id: value('parentId'),
      lane: value('lane'),
      module: value('module'),
      fingerprint: value('fingerprint'),
    })
    .onConflict((conflict) => conflict.column('uuid').doNothing())
    .returningAll(),
);

function createdEvent({ name, label }: ProcessRow): NewEvent {
  const data: EventData['process.created'] = { name, label, computer: null };
  return { type: 'process.created', data };
}

/** Outputs of a workflow that others made are returned by it; everything else it created. */
export type LeafLink = 'input' | 'output';

/**
 * Links leaves to a process, and stores those that are new.
 * @returns the stored data by their labels
 */
export async function linkLeaves(
  transaction: StoreTransaction,
  processId: number,
  link: LeafLink,
  leaves: readonly Leaf[],
  now: number,
): Promise<{ readonly label: string; readonly stored: StoredData | undefined }[]> {
  const fresh = leaves.flatMap(({ data }) => ('uuid' in data ? [] : [data]));
  const stored = await insertData(transaction, fresh, now);
  let next = 0;
  const linked = leaves.map(({ label, data }) => {
    const own = 'uuid' in data ? undefined : stored[next++];
    return { label, stored: own, dataId: 'uuid' in data ? data.id : (own?.id ?? 0) };
  });
  await insertLinks(
    transaction,
    processId,
    linked.map(({ label, stored: own, dataId }) => {
      const type = link === 'input' ? 'input' : own === undefined ? 'return' : 'create';
      return { label, type, dataId };
    }),
  );
  return linked;
}

/**
 * The same for processes whose outputs must be the same: over definition, version and inputs.
 * @param job what a calcjob runs
 */
export function cacheKey(
  definition: { readonly name: string; readonly kind: ProcessKind; readonly version: number },
  inputs: readonly { readonly label: string; readonly hash: string }[],
  job: unknown = null,
): string {
  const sorted = inputs.map(({ label, hash }) => `${label} ${hash}`).sort();
  return createHash('sha256')
    .update(canonicalJson([definition.kind, definition.name, definition.version, sorted, job]))
    .digest('hex');
}
