import { type Data, dataOf, type Locate } from '../../process/data.js';
import { findDefinition } from '../../process/definition.js';
import { assembleOutputs } from '../../process/inputs.js';
import { isTerminal } from '../../process/states.js';
import { stateOf } from '../../process/transition.js';
import { linkedData } from '../../store/data.js';
import { fromJson, type Store } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';
import type { ProcessResult } from '../../workflow/result.js';

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
  only?: readonly string[],
): Promise<Map<string, ProcessResult>> {
  const results = new Map<string, ProcessResult>();
  if (only?.length === 0) return results;
  let query = store
    .selectFrom('processes')
    .selectAll()
    .where('parent_id', '=', parentId)
    .where('ended_at', 'is not', null);
  // Few are asked for one by one; many are found faster among all.
  if (only !== undefined && only.length <= 200) query = query.where('uuid', 'in', only);
  const wanted = only === undefined ? undefined : new Set(only);
  for (const row of await query.execute()) {
    if (wanted !== undefined && !wanted.has(row.uuid)) continue;
    results.set(row.uuid, resultOf(row, await namedData(store, locate, row.id, 'outputs')));
  }
  return results;
}
