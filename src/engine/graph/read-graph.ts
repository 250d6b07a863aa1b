import { sql } from 'kysely';
import type { DataType } from '../../store/data.js';
import type { Store } from '../../store/store.js';
import type { DataNode, GraphEdge, GraphNode, LinkType, ProcessNode, ProvenanceGraph } from './graph.js';

export interface GraphOptions {
  /** Steps back from the process, to what it was made from and called by; default: all. */
  readonly ancestors?: number | undefined;
  /** Steps on from it, to what it made and called; default: all. */
  readonly descendants?: number | undefined;
  /** Most nodes; default 2 000. */
  readonly mostNodes?: number | undefined;
}

/** Processes and data by their ids. */
interface Ids {
  readonly processes: readonly number[];
  readonly data: readonly number[];
}

type Direction = 'ancestors' | 'descendants';

/** Most ids in one query, and most characters that are read of a content. */
const atOnce = 1_000;
const mostContent = 400;

/** Reads what a process has to do with: so many steps in both directions, the nearest first, and all links between. */
export async function readGraph(db: Store, processId: number, options: GraphOptions = {}): Promise<ProvenanceGraph> {
  const { mostNodes = 2_000 } = options;
  const chosen = { processes: new Set([processId]), data: new Set<number>() };
  let cut = false;
  const add = (kind: keyof Ids, id: number) => {
    if (chosen[kind].has(id)) return;
    if (chosen.processes.size + chosen.data.size >= mostNodes) cut = true;
    else chosen[kind].add(id);
  };
  const walks = (['ancestors', 'descendants'] as const).map((direction) => ({
    direction,
    steps: options[direction] ?? Number.POSITIVE_INFINITY,
    seen: { processes: new Set([processId]), data: new Set<number>() },
    frontier: { processes: [processId], data: [] } as Ids,
  }));
  for (let step = 1; !cut; step += 1) {
    const going = walks.filter(({ steps, frontier }) => step <= steps && !isEmpty(frontier));
    if (going.length === 0) break;
    for (const walk of going) {
      const next = await neighbours(db, walk.direction, walk.frontier, mostNodes + 1);
      walk.frontier = {
        processes: unseen(next.processes, walk.seen.processes),
        data: unseen(next.data, walk.seen.data),
      };
      for (const kind of ['processes', 'data'] as const) for (const id of walk.frontier[kind]) add(kind, id);
    }
  }
  const ids = { processes: ascending(chosen.processes), data: ascending(chosen.data) };
  const { nodes, calls } = await processNodes(db, ids.processes);
  const edges = [...calls, ...(await linkEdges(db, ids))];
  return { start: `p${processId}`, nodes: [...nodes, ...(await dataNodes(db, ids.data))], edges, cut };
}

/** One step back or on. No list is longer than `most` for each thousand of the ids. */
async function neighbours(db: Store, direction: Direction, { processes, data }: Ids, most: number): Promise<Ids> {
  const isBack = direction === 'ancestors';
  const called = await inParts(processes, async (ids) => {
    const rows = isBack
      ? db.selectFrom('processes').select('parent_id as id').where('id', 'in', ids).where('parent_id', 'is not', null)
      : db.selectFrom('processes').select('id').where('parent_id', 'in', ids);
    return rows.distinct().orderBy('id').limit(most).execute();
  });
  const linkedProcesses = await inParts(data, (ids) =>
    db
      .selectFrom('links')
      .select('process_id as id')
      .distinct()
      .where('data_id', 'in', ids)
      .where('type', 'in', isBack ? ['create', 'return'] : ['input'])
      .orderBy('id')
      .limit(most)
      .execute(),
  );
  const linkedData = await inParts(processes, (ids) =>
    db
      .selectFrom('links')
      .select('data_id as id')
      .distinct()
      .where('process_id', 'in', ids)
      .where('type', 'in', isBack ? ['input'] : ['create', 'return'])
      .orderBy('id')
      .limit(most)
      .execute(),
  );
  return {
    processes: [...called, ...linkedProcesses].map(({ id }) => Number(id)),
    data: linkedData.map(({ id }) => id),
  };
}

async function processNodes(db: Store, all: readonly number[]): Promise<{ nodes: ProcessNode[]; calls: GraphEdge[] }> {
  const rows = await inParts(all, (ids) =>
    db
      .selectFrom('processes')
      .select(['id', 'uuid', 'kind', 'name', 'label', 'state', 'paused', 'exit_status', 'exit_label', 'cached_from'])
      .select('parent_id')
      .where('id', 'in', ids)
      .orderBy('id')
      .execute(),
  );
  const known = new Set(all);
  return {
    nodes: rows.map(({ exit_status, exit_label, cached_from, parent_id: _, paused, ...row }) => ({
      key: `p${row.id}`,
      node: 'process',
      ...row,
      paused: paused === 1,
      exitStatus: exit_status,
      exitLabel: exit_label === '' ? null : exit_label,
      cachedFrom: cached_from,
    })),
    calls: rows.flatMap(({ id, parent_id: parent }) =>
      parent === null || !known.has(parent) ? [] : [{ type: 'call', from: `p${parent}`, to: `p${id}`, labels: [] }],
    ),
  };
}

async function dataNodes(db: Store, all: readonly number[]): Promise<GraphNode[]> {
  return inParts(all, async (ids): Promise<DataNode[]> => {
    const rows = await db
      .selectFrom('data')
      // A value may be large, and only its beginning is shown.
      .select(['id', 'uuid', 'type', sql<string>`substr(content, 1, ${sql.lit(mostContent)})`.as('content')])
      .where('id', 'in', ids)
      .orderBy('id')
      .execute();
    const counts = await db
      .selectFrom('data_files')
      .select(['data_id', ({ fn }) => fn.countAll().as('count')])
      .where('data_id', 'in', ids)
      .groupBy('data_id')
      .execute();
    const filesOf = new Map(counts.map(({ data_id, count }) => [data_id, Number(count)]));
    return rows.map(({ content, type, ...row }) => ({
      key: `d${row.id}`,
      node: 'data',
      ...row,
      type: type as DataType,
      summary: summaryOf(type as DataType, content, filesOf.get(row.id)),
    }));
  });
}

function summaryOf(type: DataType, content: string, files = 0): string {
  if (type === 'folder') return `${files} ${files === 1 ? 'file' : 'files'}`;
  if (type === 'value') return content.length < mostContent ? content : `${content}…`;
  try {
    const { name, computer, path } = JSON.parse(content) as Partial<Record<string, unknown>>;
    return type === 'file' ? String(name) : `${computer}:${path}`;
  } catch {
    // Its end is missing.
    return `${content}…`;
  }
}

/** The links between chosen processes and data: those of one type between the same two are one edge. */
async function linkEdges(db: Store, { processes, data }: Ids): Promise<GraphEdge[]> {
  const links = await inParts(processes, (processIds) =>
    inParts(data, (dataIds) =>
      db
        .selectFrom('links')
        .selectAll()
        .where('process_id', 'in', processIds)
        .where('data_id', 'in', dataIds)
        .orderBy('process_id')
        .orderBy('type')
        .orderBy('label')
        .execute(),
    ),
  );
  const edges = new Map<string, GraphEdge & { labels: string[] }>();
  for (const { process_id, data_id, type, label } of links) {
    const ends = [`p${process_id}`, `d${data_id}`] as const;
    const [from, to] = type === 'input' ? [ends[1], ends[0]] : ends;
    const key = `${type} ${from} ${to}`;
    const edge = edges.get(key) ?? { type: type as LinkType, from, to, labels: [] };
    edge.labels.push(label);
    edges.set(key, edge);
  }
  return [...edges.values()];
}

async function inParts<Row>(
  ids: readonly number[],
  query: (part: readonly number[]) => Promise<Row[]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (let start = 0; start < ids.length; start += atOnce) {
    rows.push(...(await query(ids.slice(start, start + atOnce))));
  }
  return rows;
}

/** Those that were not seen before, which they are from now on. */
function unseen(ids: readonly number[], seen: Set<number>): number[] {
  return ids.filter((id) => !seen.has(id) && seen.add(id));
}

function isEmpty({ processes, data }: Ids): boolean {
  return processes.length === 0 && data.length === 0;
}

function ascending(ids: ReadonlySet<number>): number[] {
  return [...ids].sort((one, other) => one - other);
}
