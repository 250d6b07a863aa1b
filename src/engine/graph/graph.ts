import type { DataLinkType, DataType } from '../../store/data.js';

/** Where data came from and where it went: processes and data, and what they have to do with each other. */
export interface ProvenanceGraph {
  /** Key of the process that was asked for. */
  readonly start: string;
  /** Processes first, then data, each in the order of their ids. */
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** Was more there than may be shown? The nearest are kept. */
  readonly cut: boolean;
}

export type GraphNode = ProcessNode | DataNode;

export interface ProcessNode {
  /** `p` and the id. */
  readonly key: string;
  readonly node: 'process';
  readonly id: number;
  readonly uuid: string;
  /** calcjob, workflow or function. */
  readonly kind: string;
  readonly name: string;
  readonly label: string;
  readonly state: string;
  readonly paused: boolean;
  readonly exitStatus: number | null;
  readonly exitLabel: string | null;
  /** The equal process whose outputs it took over. */
  readonly cachedFrom: number | null;
}

export interface DataNode {
  /** `d` and the id. */
  readonly key: string;
  readonly node: 'data';
  readonly id: number;
  readonly uuid: string;
  readonly type: DataType;
  /** The beginning of a value, the name of a file, the place of a remote folder. */
  readonly summary: string;
}

/** input: data → process; create, return: process → data; call: process → process. */
export const linkTypes = ['input', 'create', 'return', 'call'] as const satisfies readonly (DataLinkType | 'call')[];
export type LinkType = (typeof linkTypes)[number];

export interface GraphEdge {
  readonly type: LinkType;
  readonly from: string;
  readonly to: string;
  /** The names that the data has at the process; none for a call. */
  readonly labels: readonly string[];
}

/** What `highlight` means: the name of a process, its kind, or the type of data. */
export function isOfClass(node: GraphNode, name: string): boolean {
  return node.node === 'process' ? node.name === name || node.kind === name : node.type === name;
}
