import { type GraphNode, isOfClass, type ProvenanceGraph } from './graph.js';
import { detailsOf, linesOf } from './node-text.js';
import { inks, linkStyles, pale, styleOf } from './style.js';
import { cutToFit, oneLine } from './text.js';

/** The graph for Graphviz, which lays it out in its own way. */
export function toDot(graph: ProvenanceGraph, highlight?: string): string {
  const nodes = graph.nodes.map((node) => {
    const isPale = highlight !== undefined && !isOfClass(node, highlight);
    const { fill, border } = isPale ? pale : styleOf(node);
    return statement(quoted(node.key), {
      label: escaped(linesOf(node).map((line) => cutToFit(line, 220, 10))),
      tooltip: escaped(detailsOf(node).map(oneLine)),
      ...shapeOf(node),
      fillcolor: quoted(fill),
      color: quoted(node.key === graph.start ? inks.start : border),
      fontcolor: quoted(isPale ? pale.text : inks.text),
      ...(node.key === graph.start ? { penwidth: '4' } : {}),
    });
  });
  const edges = graph.edges.map(({ type, from, to, labels }) => {
    const { colour, dotStyle } = linkStyles[type];
    return statement(`${quoted(from)} -> ${quoted(to)}`, {
      style: dotStyle,
      color: quoted(highlight === undefined ? colour : pale.border),
      tooltip: escaped([`${type} ${oneLine(labels.join(', '))}`.trim()]),
      ...(labels.length === 0 ? {} : { label: escaped([cutToFit(labels.join(', '), 120, 9)]) }),
    });
  });
  return [
    'digraph wherry {',
    '  graph [bgcolor="white"];',
    '  node [fontname="sans-serif", fontsize=10];',
    '  edge [fontname="sans-serif", fontsize=9, fontcolor="#475569", arrowsize=0.7];',
    ...nodes,
    ...edges,
    '}',
    '',
  ].join('\n');
}

function shapeOf(node: GraphNode): Record<string, string> {
  return node.node === 'process' ? { shape: 'box', style: '"rounded,filled"' } : { shape: 'ellipse', style: 'filled' };
}

function statement(subject: string, attributes: Readonly<Record<string, string>>): string {
  const list = Object.entries(attributes).map(([name, value]) => `${name}=${value}`);
  return `  ${subject} [${list.join(', ')}];`;
}

/**
 * Lines as a text that Graphviz shows as they are: in labels it knows escapes (`\N` is the name of the node) and entities
 * of HTML.
 */
function escaped(lines: readonly string[]): string {
  const shown = (line: string) => line.replaceAll('&', '&amp;').replaceAll('\\', '\\\\').replaceAll('"', '\\"');
  return `"${lines.map(shown).join('\\n')}"`;
}

/** A name of ours, which needs no escapes. */
function quoted(text: string): string {
  return `"${text}"`;
}
