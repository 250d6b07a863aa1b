import type { DataNode, GraphNode, ProcessNode } from './graph.js';

/** What is written on a node: its title, and what is said of it below. */
export function linesOf(node: GraphNode): readonly [string, ...string[]] {
  if (node.node === 'data') return [node.type, node.summary];
  const about = node.label === '' ? `#${node.id}` : `#${node.id} ${node.label}`;
  return [node.name, about, stateOf(node)];
}

/** Its state, and how it ended. */
export function stateOf({ state, paused, exitStatus, exitLabel, cachedFrom }: ProcessNode): string {
  const word = paused ? `${state}, paused` : state;
  const ended = exitStatus === null ? word : `${word} [${exitStatus}${exitLabel === null ? '' : ` ${exitLabel}`}]`;
  return cachedFrom === null ? ended : `${ended}, as #${cachedFrom}`;
}

/** Did it end otherwise than well? */
export function isTrouble(node: GraphNode): boolean {
  if (node.node === 'data') return false;
  return node.state === 'excepted' || node.state === 'killed' || (node.exitStatus ?? 0) > 0;
}

/** Everything that there is to say of a node in a few lines, for those who point at it. */
export function detailsOf(node: GraphNode): string[] {
  if (node.node === 'data') return dataDetails(node);
  return [`${node.kind} ${node.name}`, `#${node.id} ${node.label}`.trim(), stateOf(node), node.uuid];
}

function dataDetails({ id, type, summary, uuid }: DataNode): string[] {
  return [`${type} ${id}`, summary, uuid];
}
