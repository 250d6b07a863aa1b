import { sql } from 'kysely';
import type { ProcessReference } from '../../process/process-stack.js';
import type { Store } from '../../store/store.js';
import type { ProcessRow } from '../../store/tables.js';

/** Deeper than anybody calls on purpose. */
const deepest = 10_000;

/** Who called a process, from the outermost to the innermost. */
export async function callersOf(store: Store, row: Pick<ProcessRow, 'parent_id'>): Promise<ProcessReference[]> {
  if (row.parent_id === null) return [];
  const { rows } = await sql<ProcessReference>`
    with recursive callers (id, uuid, name, parent_id, depth) as (
      select id, uuid, name, parent_id, 0 from processes where id = ${row.parent_id}
      union all
      select processes.id, processes.uuid, processes.name, processes.parent_id, callers.depth + 1
      from processes join callers on processes.id = callers.parent_id where callers.depth < ${deepest}
    )
    select id, uuid, name from callers order by depth desc`.execute(store);
  return rows.map(({ id, uuid, name }) => ({ id: Number(id), uuid, name }));
}
