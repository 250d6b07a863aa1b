import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProvenanceGraph } from '../../../src/engine/graph/graph.js';
import { openProfile } from '../../../src/engine/profile.js';
import { insertData, insertLinks } from '../../../src/store/data.js';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';
import { insertProcess } from '../../unit/process/stored-process.js';

let wherry: CommandLine;
let id: string;
beforeAll(async () => {
  wherry = await startCommandLine();
  await using profile = await openProfile({ home: wherry.home });
  const { store } = profile;
  const parent = await insertProcess(store, { kind: 'workflow', name: 'sums' });
  const add = await insertProcess(store, {
    kind: 'function',
    name: 'add',
    label: '\u001b[31m<b>',
    parent_id: parent.id,
  });
  id = String(add.id);
  await store.transaction().execute(async (transaction) => {
    const [x] = await insertData(transaction, [{ type: 'value', content: 7 }], 1);
    await insertLinks(transaction, add.id, [{ label: 'x', type: 'input', dataId: x?.id ?? 0 }]);
  });
});
afterAll(() => wherry[Symbol.asyncDispose]());

describe('wherry graph', () => {
  it('writes a picture, with a word on stderr when nothing is highlighted', async () => {
    const outcome = await wherry.run(['graph', id, '--output', 'graph.svg', '--highlight', 'subtract']);
    expect([outcome.exitCode, outcome.text]).toEqual([0, '']);
    expect(outcome.stderr).toContain('nothing in the graph is called "subtract"');
    const svg = await readFile(`${wherry.folder}/graph.svg`, 'utf8');
    expect(svg).toMatch(/^<svg [\s\S]*#2 \ufffd\[31m&lt;b&gt;[\s\S]*<\/svg>\n$/);
  });

  it('gives programs what its page promises, and is bounded by steps', async () => {
    const graph = JSON.parse(await wherry.succeed(['graph', id, '--json'])) as ProvenanceGraph;
    const page = await readFile('docs/graph.md', 'utf8');
    const promised = JSON.parse(/```json\n([\s\S]*?)```/.exec(page)?.[1] ?? '') as ProvenanceGraph;
    const shape = ({ nodes, edges, ...rest }: ProvenanceGraph) =>
      [
        ...[
          rest,
          nodes.find(({ node }) => node === 'process'),
          nodes.find(({ node }) => node === 'data'),
          edges.at(-1),
        ],
      ].map((part) => Object.keys(part ?? {}).sort());
    expect(shape(graph)).toEqual(shape(promised));
    expect(graph.nodes.map(({ key }) => key)).toEqual(['p1', 'p2', 'd1']);
    const dot = await wherry.succeed(['graph', id, '--format', 'dot', '--ancestors', '0']);
    expect(dot.match(/^ {2}"/gm)).toHaveLength(1);
  });

  it.each([
    [['--format', 'pdf'], 'there is no format "pdf"'],
    [['--ancestors', '-1'], '"-1" is no number of steps'],
  ])('%j is bad input', async (words, message) => {
    const outcome = await wherry.run(['graph', id, ...words]);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain(message);
  });
});
