import type { Data } from './data.js';
import { type NamespacePort, portAt } from './spec.js';

/** Nested inputs or outputs: as values, and as the pieces of data that they are. Frozen at every level. */
export interface Assembled {
  // biome-ignore lint/suspicious/noExplicitAny: what is in there is known to whoever has the type of the definition.
  readonly values: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  readonly data: any;
}

type Nested = Map<string, Nested | Data>;

/** Puts pieces of data with dotted labels into the nesting that they came from. */
export function assemble(
  root: NamespacePort,
  linked: readonly { readonly label: string; readonly data: Data }[],
): Assembled {
  const nested: Nested = new Map();
  for (const { label, data } of linked) {
    const path = label.split('.');
    // A namespace has data of its own only to tell that it was given empty.
    if (portAt(root, path)?.kind === 'namespace') within(nested, path);
    else within(nested, path.slice(0, -1)).set(path.at(-1) ?? '', data);
  }
  addEmpty(root, nested);
  return { values: plain(nested, seenOf), data: plain(nested, (data) => data) };
}

/** A namespace that may not be left out is there, also when nothing is in it. */
function addEmpty(port: NamespacePort, nested: Nested): void {
  for (const [name, part] of port.ports) {
    if (part.kind === 'namespace' && !part.optional) within(nested, [name]);
  }
  for (const [name, below] of nested) {
    const part = portAt(port, [name]);
    if (below instanceof Map && part?.kind === 'namespace') addEmpty(part, below);
  }
}

function within(nested: Nested, path: readonly string[]): Nested {
  let place = nested;
  for (const name of path) {
    const found = place.get(name);
    const next: Nested = found instanceof Map ? found : new Map();
    if (next !== found) place.set(name, next);
    place = next;
  }
  return place;
}

function plain(nested: Nested, leaf: (data: Data) => unknown): unknown {
  const entries = [...nested].map(([name, part]) => [name, part instanceof Map ? plain(part, leaf) : leaf(part)]);
  return Object.freeze(Object.fromEntries(entries));
}

function seenOf(data: Data): unknown {
  return data.type === 'value' ? data.value : data;
}
