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

/** What tells how a process ended. */
const endColumns = [
  'id',
  'uuid',
  'name',
  'state',
  'exit_status',
  'exit_label',
  'exit_message',
  'exception',
  'kill_reason',
] as const;
export type EndedRow = Pick<ProcessRow, (typeof endColumns)[number]>;

/** How a process ended. Errors: `internal` for one that has not. */
export function resultOf(row: EndedRow, outputs: readonly NamedData[]): ProcessResult {
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

/** How children ended, by uuid. Results are made when they are asked for: of thousands few are needed at once. */
export type ChildResults = ReadonlyMap<string, () => ProcessResult>;

/**
 * How those of the children of a process ended that have ended.
 * @param uuids only these children; those of many are found faster among all
 */
export async function resultsOfChildren(
  store: Store,
  locate: Locate,
  parentId: number,
  uuids?: readonly string[],
): Promise<ChildResults> {
  if (uuids?.length === 0) return new Map();
  const only = uuids === undefined || uuids.length > few ? undefined : uuids;
  const ended = store
    .selectFrom('processes')
    .select(endColumns)
    .where('parent_id', '=', parentId)
    .where('ended_at', 'is not', null);
  const rows = await (only === undefined ? ended : ended.where('uuid', 'in', only)).execute();
  if (rows.length === 0) return new Map();
  return childResults(rows, await outputsOfChildren(store, parentId, only), locate);
}

const few = 200;

function childResults(
  rows: readonly EndedRow[],
  outputs: ReadonlyMap<number, readonly LinkedData[]>,
  locate: Locate,
): ChildResults {
  return new Map(
    rows.map((row) => {
      const named = () => (outputs.get(row.id) ?? []).map(({ label, data }) => ({ label, data: dataOf(data, locate) }));
      return [row.uuid, () => resultOf(row, named())];
    }),
  );
}
