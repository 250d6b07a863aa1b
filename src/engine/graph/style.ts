import type { GraphNode, LinkType } from './graph.js';

/** How a kind of node looks. */
export interface NodeStyle {
  readonly fill: string;
  readonly border: string;
}

/** How a type of link is drawn. */
export interface LinkStyle {
  readonly colour: string;
  readonly width: number;
  /** Lengths of dashes and gaps; a whole line when there are none. */
  readonly dashes: string | undefined;
  /** The same for Graphviz. */
  readonly dotStyle: string;
}

const data: NodeStyle = { fill: '#ecfeff', border: '#0891b2' };

const nodeStyles: Readonly<Record<string, NodeStyle>> = {
  calcjob: { fill: '#dbeafe', border: '#2563eb' },
  workflow: { fill: '#ffedd5', border: '#ea580c' },
  function: { fill: '#dcfce7', border: '#16a34a' },
  value: data,
  file: { fill: '#fefce8', border: '#a16207' },
  folder: { fill: '#fefce8', border: '#a16207' },
  'remote-folder': { fill: '#f3e8ff', border: '#7e22ce' },
};

/** What is not of the class that shall stand out. */
export const pale = { fill: '#fafafa', border: '#d4d4d4', text: '#a3a3a3' } as const;
export const inks = { text: '#0f172a', quiet: '#475569', trouble: '#b91c1c', start: '#0f172a' } as const;

export const linkStyles: Readonly<Record<LinkType, LinkStyle>> = {
  input: { colour: '#64748b', width: 1.2, dashes: undefined, dotStyle: 'solid' },
  create: { colour: '#0f766e', width: 2.2, dashes: undefined, dotStyle: 'bold' },
  return: { colour: '#0f766e', width: 1.4, dashes: '7 4', dotStyle: 'dashed' },
  call: { colour: '#c2410c', width: 1.4, dashes: '1.5 4', dotStyle: 'dotted' },
};

export function styleOf(node: GraphNode): NodeStyle {
  return nodeStyles[node.node === 'process' ? node.kind : node.type] ?? data;
}
