import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProvenanceGraph } from '../../../../src/engine/graph/graph.js';
import { readGraph } from '../../../../src/engine/graph/read-graph.js';
import { type DataLinkType, insertData, insertLinks, type NewData } from '../../../../src/store/data.js';
import type { NewProcessRow } from '../../../../src/store/tables.js';
import { insertProcess } from '../../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../../store/temporary-store.js';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary[Symbol.asyncDispose]());

async function addProcess(name: string, parent: number | null = null, differing: Partial<NewProcessRow> = {}) {
  const row = await insertProcess(temporary.store, { kind: 'function', name, parent_id: parent, ...differing });
  return row.id;
}

async function addData(content: unknown, differing: Partial<NewData> = {}): Promise<number> {
  const pieces = [{ type: 'value' as const, content, ...differing }];
  const [stored] = await temporary.store.transaction().execute((transaction) => insertData(transaction, pieces, 1));
  return stored?.id ?? 0;
}

async function link(process: number, type: DataLinkType, data: Readonly<Record<string, number>>): Promise<void> {
  const links = Object.entries(data).map(([label, dataId]) => ({ label, type, dataId }));
  await temporary.store.transaction().execute((transaction) => insertLinks(transaction, process, links));
}

/** `(x + y) · z`, and what somebody did with the product: ids of processes and data in the order of their names. */
async function addAndMultiply() {
  const workflow = await addProcess('addAndMultiply', null, {
    label: 'first',
    exit_status: 0,
    exit_label: '',
    state: 'finished',
  });
  const add = await addProcess('add', workflow);
  const multiply = await addProcess('multiply', workflow, { cached_from: add });
  const later = await addProcess('later');
  await addProcess('elsewhere');
  const [x, y, z, sum, product, other] = [
    await addData(1),
    await addData(2),
    await addData(3),
    await addData(3),
    await addData(9),
    await addData('other'),
  ];
  await link(workflow, 'input', { x, y, z });
  await link(workflow, 'return', { product });
  await link(add, 'input', { x, y, again: x });
  await link(add, 'create', { sum });
  await link(multiply, 'input', { x: sum, y: z });
  await link(multiply, 'create', { product });
  await link(later, 'input', { value: product, other });
  return { workflow, add, multiply, later, x, y, z, sum, product, other };
}

const keys = ({ nodes }: ProvenanceGraph) => nodes.map(({ key }) => key);
const lines = ({ edges }: ProvenanceGraph) =>
  edges.map(({ type, from, to, labels }) => `${from} ${type} ${to} ${labels.join(',')}`.trim()).sort();

describe('the graph of a process', () => {
  it('is everything that it came from and that came from it, with all links between', async () => {
    const ids = await addAndMultiply();
    const graph = await readGraph(temporary.store, ids.workflow);
    const { workflow: w, add: a, multiply: m, later: l, x, y, z, sum: s, product: p } = ids;
    expect(graph).toMatchObject({ start: `p${w}`, cut: false });
    expect(keys(graph)).toEqual([w, a, m, l].map((id) => `p${id}`).concat([x, y, z, s, p].map((id) => `d${id}`)));
    expect(lines(graph)).toEqual(
      [
        `p${w} call p${a}`,
        `p${w} call p${m}`,
        `d${x} input p${w} x`,
        `d${y} input p${w} y`,
        `d${z} input p${w} z`,
        `d${x} input p${a} again,x`,
        `d${y} input p${a} y`,
        `p${a} create d${s} sum`,
        `d${s} input p${m} x`,
        `d${z} input p${m} y`,
        `p${m} create d${p} product`,
        `p${w} return d${p} product`,
        `d${p} input p${l} value`,
      ].sort(),
    );
    expect(graph.nodes[0]).toMatchObject({ name: 'addAndMultiply', label: 'first', exitStatus: 0, exitLabel: null });
    expect(graph.nodes[2]).toMatchObject({ kind: 'function', cachedFrom: a });
  });

  it('goes so many steps in each direction', async () => {
    const { store } = temporary;
    const { workflow: w, add: a, multiply: m, later: l, x, y, z, sum: s, product: p } = await addAndMultiply();
    const found = async (ancestors: number, descendants: number) =>
      keys(await readGraph(store, m, { ancestors, descendants })).sort();
    expect(await found(0, 0)).toEqual([`p${m}`]);
    expect(await found(1, 0)).toEqual([`d${s}`, `d${z}`, `p${w}`, `p${m}`].sort());
    expect(await found(2, 0)).toEqual([`d${s}`, `d${z}`, `d${x}`, `d${y}`, `p${w}`, `p${m}`, `p${a}`].sort());
    expect(await found(0, 1)).toEqual([`d${p}`, `p${m}`].sort());
    expect(await found(0, 2)).toEqual([`d${p}`, `p${m}`, `p${l}`].sort());
    expect((await found(9, 9)).length).toBe(9);
  });

  it('ends where data was passed on by who had been given it', async () => {
    const [outer, inner] = [await addProcess('outer'), await addProcess('inner', 1)];
    const data = await addData(1);
    for (const each of [outer, inner]) {
      await link(each, 'input', { data });
      await link(each, 'return', { data });
    }
    const graph = await readGraph(temporary.store, inner);
    expect(lines(graph)).toHaveLength(5);
  });

  it('keeps the nearest where there are too many', async () => {
    const parent = await addProcess('parent');
    const input = await addData(0);
    await link(parent, 'input', { input });
    for (let index = 0; index < 6; index += 1) {
      const child = await addProcess('child', parent);
      await link(child, 'create', { out: await addData(index) });
    }
    const graph = await readGraph(temporary.store, parent, { mostNodes: 8 });
    expect(graph.cut).toBe(true);
    expect(graph.nodes.map((node) => (node.node === 'process' ? node.name : node.summary))).toEqual([
      'parent',
      ...Array(6).fill('child'),
      '0',
    ]);
    expect((await readGraph(temporary.store, parent, { mostNodes: 14 })).cut).toBe(false);
  });

  it('says shortly what data is', async () => {
    const all = await addProcess('all');
    const file = { path: 'a/b', sha256: 'x', size: 10, mode: 0o600 };
    const made: Record<string, number> = {
      value: await addData({ b: [1, 2], a: 'x' }),
      large: await addData('y'.repeat(100_000)),
      file: await addData({ name: 'pw.in' }, { type: 'file', files: [file] }),
      folder: await addData(null, { type: 'folder', files: [file, { ...file, path: 'c' }] }),
      remote: await addData({ computer: 'daint', path: '/scratch/x' }, { type: 'remote-folder' }),
    };
    await link(all, 'create', made);
    const { nodes } = await readGraph(temporary.store, all);
    const summaries = nodes.flatMap((node) => (node.node === 'data' ? [node.summary] : []));
    expect(summaries).toEqual([
      '{"b":[1,2],"a":"x"}',
      expect.stringMatching(/^"y{399}…$/),
      'pw.in',
      '2 files',
      'daint:/scratch/x',
    ]);
  });

  it('is that of one process when it has nothing to do with others', async () => {
    const alone = await addProcess('alone');
    const graph = await readGraph(temporary.store, alone);
    expect([keys(graph), graph.edges]).toEqual([[`p${alone}`], []]);
  });
});
