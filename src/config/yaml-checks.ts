import { isAlias, isMap, isScalar, type Node, visit } from 'yaml';

/** Levels of nesting: far more than any job or computer needs. */
export const mostDepth = 64;

/** Aliases in one document, and how far one alias may multiply what it stands for. */
export const mostAliases = 100;

export interface Finding {
  readonly offset: number;
  readonly message: string;
}

/** What the parser lets pass: keys given twice (its own check takes quadratic time), aliases that hold themselves. */
export function checkNodes(contents: Node): Finding[] {
  const findings: Finding[] = [];
  const anchors = new Map<string, Node>();
  let aliases = 0;
  visit(contents, {
    Node(_, node) {
      const offset = node.range?.[0] ?? 0;
      if (isAlias(node)) {
        aliases += 1;
        if (aliases > mostAliases) {
          findings.push({ offset, message: `more than ${mostAliases} aliases` });
          return visit.BREAK;
        }
        const target = anchors.get(node.source);
        if (target === undefined)
          findings.push({ offset, message: `the alias *${node.source} has no anchor before it` });
        else if ((target.range?.[2] ?? 0) > offset) {
          findings.push({ offset, message: `the alias *${node.source} stands inside what it stands for` });
        }
      } else if (node.anchor) anchors.set(node.anchor, node);
      if (isMap(node)) findings.push(...checkKeys(node.items.map(({ key }) => key)));
      return undefined;
    },
  });
  return findings;
}

function checkKeys(keys: readonly unknown[]): Finding[] {
  const seen = new Set<string>();
  const findings: Finding[] = [];
  for (const key of keys) {
    if (!isScalar(key)) continue;
    const name = String(key.value);
    const offset = key.range?.[0] ?? 0;
    if (seen.has(name)) findings.push({ offset, message: `the key ${JSON.stringify(name)} is given twice` });
    // Such a key would silently disappear from the value.
    if (name === '__proto__') findings.push({ offset, message: 'the key "__proto__" cannot be used' });
    seen.add(name);
  }
  return findings;
}
