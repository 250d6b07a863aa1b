import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toDot } from '../../../../src/engine/graph/dot.js';
import type { DataNode, GraphEdge, ProcessNode, ProvenanceGraph } from '../../../../src/engine/graph/graph.js';
import { toSvg } from '../../../../src/engine/graph/svg.js';
import { cutToFit } from '../../../../src/engine/graph/text.js';

function processNode(id: number, differing: Partial<ProcessNode> = {}): ProcessNode {
  return {
    key: `p${id}`,
    node: 'process',
    id,
    uuid: `uuid-of-${id}`,
    kind: 'function',
    name: 'add',
    label: '',
    state: 'finished',
    paused: false,
    exitStatus: 0,
    exitLabel: null,
    cachedFrom: null,
    ...differing,
  };
}

function dataNode(id: number, summary: string, type: DataNode['type'] = 'value'): DataNode {
  return { key: `d${id}`, node: 'data', id, uuid: `uuid-of-data-${id}`, type, summary };
}

function graphOf(text: string): ProvenanceGraph {
  const edges: GraphEdge[] = [
    { type: 'call', from: 'p1', to: 'p2', labels: [] },
    { type: 'input', from: 'd1', to: 'p2', labels: [text, 'y'] },
    { type: 'create', from: 'p2', to: 'd2', labels: ['sum'] },
    { type: 'return', from: 'p1', to: 'd2', labels: ['total'] },
  ];
  const workflow = processNode(1, { kind: 'workflow', name: 'sums', label: text });
  const failed = processNode(2, { exitStatus: 310, exitLabel: text });
  return { start: 'p1', cut: false, nodes: [workflow, failed, dataNode(1, text), dataNode(2, '7', 'file')], edges };
}

/** What people may have written: every character there is, and what has a meaning in one of the formats. */
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: fc.constantFrom('"', '\\', '<', '>', '&', '\n', 'N', 'n', ';', '\0', '\ud800', '{', '|', ']]>') }),
  fc.constantFrom('</title><script>alert(1)</script>', '" onload="alert(1)', '&lt;', '\\', 'a\\', '<b>x</b>', '-->'),
);

const elements = ['svg', 'title', 'defs', 'marker', 'path', 'rect', 'g', 'ellipse', 'text'];

/** The texts of a document, by element. Throws where the document is not well-formed or has more than a picture needs. */
function textsOf(svg: string): string[] {
  if (/[^\t\n\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u.test(svg)) throw new Error('forbidden in XML');
  const open: string[] = [];
  const found: string[] = [];
  let end = 0;
  for (const tag of svg.matchAll(/<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<>]*")*)(\/?)>/g)) {
    const [all, closing, name = '', attributes = '', selfClosing] = tag;
    const before = svg.slice(end, tag.index);
    if (/[<>]/.test(before)) throw new Error(`no tag: ${before}`);
    if (/&(?!(?:amp|lt|gt|quot);)/.test(before + attributes)) throw new Error(`no entity: ${before}${attributes}`);
    if (before.trim() !== '') found.push(before.replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&'));
    if (!elements.includes(name)) throw new Error(`an element ${name}`);
    if (/ (on\w*|href|style)=/.test(attributes)) throw new Error(`attributes ${attributes}`);
    if (closing === '/' && open.pop() !== name) throw new Error(`${name} was not open`);
    if (closing === '' && selfClosing === '') open.push(name);
    end = tag.index + all.length;
  }
  if (open.length > 0 || svg.slice(end).trim() !== '') throw new Error('it does not end');
  return found;
}

describe('the picture', () => {
  it('is one well-formed document without scripts, whatever people have written', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(textsOf(toSvg(graphOf(text)))).toContain('sums');
      }),
      { numRuns: 150 },
    );
  });

  it('shows text as it was written', () => {
    const found = textsOf(toSvg(graphOf('a<b> & "c"')));
    expect(found).toEqual(expect.arrayContaining(['#1 a<b> & "c"', 'a<b> & "c"', 'finished [310 a<b> & "c"]']));
    expect(found).toEqual(expect.arrayContaining(['a<b> & "c", y', 'sum', 'total', 'workflow', 'call', 'return']));
  });

  it('marks the start, and makes pale what is not of the class that shall stand out', () => {
    const plain = toSvg(graphOf('x'));
    expect(plain.match(/stroke-width="4"/g)).toHaveLength(1);
    expect(plain).not.toContain('#a3a3a3');
    for (const [name, count] of [
      ['value', 3],
      ['add', 3],
      ['workflow', 3],
      ['nothing', 4],
    ] as const) {
      // Each pale node has one border of this colour.
      const pale = toSvg(graphOf('x'), name).match(/fill="#fafafa" stroke="(#d4d4d4|#0f172a)"/g);
      expect(pale).toHaveLength(count);
    }
  });

  it('says how processes are', () => {
    const nodes = [
      processNode(1, { state: 'waiting', exitStatus: null, paused: true }),
      processNode(2, { cachedFrom: 1 }),
      processNode(3, { state: 'excepted', exitStatus: null }),
    ];
    const svg = toSvg({ start: 'p1', cut: false, nodes, edges: [] });
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['waiting, paused', 'finished [0], as #1', 'excepted']));
    expect(svg).toContain('fill="#b91c1c">excepted');
  });
});

describe('text in a box', () => {
  it.each([
    ['silicon', 100, 'silicon'],
    ['a label that is a great deal longer than its box', 100, 'a label that is…'],
    ['\u4e00'.repeat(20), 60, '\u4e00\u4e00\u4e00…'],
    ['a\u0000b\u202ec\n\n d', 100, 'a\ufffdb\ufffdc d'],
    [`a${'\u0301'.repeat(50)}`, 100, 'a\u0301\u0301\u0301'],
    ['', 100, ''],
  ])('%j in %d is %j', (text, width, shown) => {
    expect(cutToFit(text, width, 12)).toBe(shown);
  });
});

describe('what Graphviz gets', () => {
  /** Reads quoted texts as its lexer does, and labels as its renderer does. */
  function labelsOf(dot: string): string[] {
    const withoutTexts = dot.replace(/"(?:[^"\\]|\\.)*"/gs, '');
    expect(withoutTexts).not.toMatch(/["\\]/);
    return [...dot.matchAll(/[[ ]label="((?:[^"\\]|\\.)*)"/gs)].map(([, written = '']) =>
      written
        .replace(/\\(.)/gs, (_all, character: string) => (character === 'n' ? '\n' : character))
        .replace(/&amp;/g, '&'),
    );
  }

  it('is quoted right, whatever people have written', () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(labelsOf(toDot(graphOf(text)))).toHaveLength(7);
      }),
      { numRuns: 150 },
    );
    const text = 'a "b" \\N & <c> \\';
    const [workflow, failed, data] = labelsOf(toDot(graphOf(text)));
    expect(workflow).toBe(`sums\n#1 ${text}\nfinished [0]`);
    expect(failed).toBe(`add\n#2\nfinished [310 ${text}]`);
    expect(data).toBe(`value\n${text}`);
  });

  it('has every node and every link, with the start marked and the rest pale', () => {
    const dot = toDot(graphOf('x'), 'file');
    expect(dot.match(/^ {2}"\w\d" \[/gm)).toHaveLength(4);
    expect(dot.match(/^ {2}"\w\d" -> "\w\d" \[/gm)).toHaveLength(4);
    expect(dot.match(/penwidth=4/g)).toHaveLength(1);
    expect(dot.match(/fillcolor="#fafafa"/g)).toHaveLength(3);
  });
});
