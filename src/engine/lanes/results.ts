import { type Data, dataOf, type Locate } from '../../process/data.js';
import { findDefinition } from '../../process/definition.js';
import { assembleOutputs } from '../../process/inputs.js';
import { isTerminal } from '../../process/states.js';
import { stateOf } from '../../process/transition.js';
import { type LinkedData, linkedData, outputsOfChildren } from '../../store/data.js';
import { fromJson, type Store } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';
import type { ProcessResult } from '../../workflow/result.js';
import type { LaneTools } from '../driver-tools.js';

/** Data under its name at a process. */
export interface NamedData {
  readonly label: string;
  readonly data: Data;
}

/** What a process took or gave, as its code sees it. */
export async function namedData(
  store: Store,
  locate: Locate,
  processId: number,
  which: 'inputs' | 'outputs',
): Promise<NamedData[]> {
  const linked = await linkedData(store, processId, which);
  return linked.map(({ label, data }) => ({ label, data: dataOf(data, locate) }));
}

/** How a process ended. Errors: `internal` for one that has not. */
export function resultOf(row: ProcessRow, outputs: readonly NamedData[]): ProcessResult {
  const state = stateOf(row);
  if (!isTerminal(state)) throw new Error(`process ${row.id} has not ended`);
  const definition = findDefinition(row.name);
  const { values, data } = definition === undefined ? flat(outputs) : assembleOutputs(definition, outputs);
  const { exit_status, exit_label, exit_message } = row;
  const exit =
    exit_status === null ? null : { status: exit_status, label: exit_label ?? '', message: exit_message ?? '' };
  const exception = fromJson<{ readonly message: string }>(row.exception);
  return {
    id: row.id,
    uuid: row.uuid,
    name: row.name,
    state,
    ok: state === 'finished' && exit_status === 0,
    exit: state === 'finished' ? exit : null,
    reason: exception?.message ?? (state === 'killed' ? (row.exit_message ?? row.kill_reason) : null),
    outputs: values as ProcessResult['outputs'],
    data: data as ProcessResult['data'],
  };
}

/** How a process ended, read from the store. Errors: `internal` for one that has not. */
export async function storedResult(
  { store, repository }: Pick<LaneTools, 'store' | 'repository'>,
  row: ProcessRow,
): Promise<ProcessResult> {
  return resultOf(row, await namedData(store, (sha256) => repository.locate(sha256), row.id, 'outputs'));
}

function flat(outputs: readonly NamedData[]): { readonly values: unknown; readonly data: unknown } {
  const by = (value: (one: Data) => unknown) =>
    Object.fromEntries(outputs.map(({ label, data }) => [label, value(data)]));
  return { values: by((data) => data.value), data: by((data) => data) };
}

/** How those of the children of a process ended that have ended, by uuid. */
export async function resultsOfChildren(
  store: Store,
  locate: Locate,
  parentId: number,
): Promise<Map<string, ProcessResult>> {
  const rows = await endedChildren(store, parentId).execute();
  const outputs = rows.length === 0 ? new Map<number, LinkedData[]>() : await outputsOfChildren(store, parentId);
  const named = (id: number) =>
    (outputs.get(id) ?? []).map(({ label, data }) => ({ label, data: dataOf(data, locate) }));
  return new Map(rows.map((row) => [row.uuid, resultOf(row, named(row.id))]));
}

/** The same for a few of them. */
export async function resultsAmong(
  store: Store,
  locate: Locate,
  parentId: number,
  uuids: readonly string[],
): Promise<Map<string, ProcessResult>> {
  if (uuids.length === 0) return new Map();
  if (uuids.length > few) return resultsOfChildren(store, locate, parentId);
  const results = new Map<string, ProcessResult>();
  for (const row of await endedChildren(store, parentId).where('uuid', 'in', uuids).execute()) {
    results.set(row.uuid, resultOf(row, await namedData(store, locate, row.id, 'outputs')));
  }
  return results;
}

/** Children that are asked for one by one; more are found faster among all. */
const few = 200;

function endedChildren(store: Store, parentId: number) {
  return store.selectFrom('processes').selectAll().where('parent_id', '=', parentId).where('ended_at', 'is not', null);
}
