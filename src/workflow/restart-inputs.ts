import type { JobOptions } from '../calcjob/define-calcjob.js';
import { Data } from '../process/data.js';
import { type NamespacePort, portAt } from '../process/spec.js';

type Given = Readonly<Record<string, unknown>>;

/** What was given, as a process sees it: values instead of their data. */
export function seen(port: NamespacePort, given: Given): Given {
  const entries = Object.entries(given).map(([name, value]) => {
    const inner = namespaceAt(port, name, value);
    if (inner !== undefined) return [name, seen(inner, value as Given)];
    return [name, value instanceof Data && value.type === 'value' ? value.value : value];
  });
  return Object.freeze(Object.fromEntries(entries));
}

/** Inputs with changes: those in a namespace one by one; undefined takes one away. */
export function changed(port: NamespacePort, given: Given, changes: Given): Given {
  const next: Record<string, unknown> = { ...given };
  for (const [name, change] of Object.entries(changes)) {
    const inner = namespaceAt(port, name, change);
    if (change === undefined) delete next[name];
    else next[name] = inner === undefined ? change : changed(inner, (next[name] ?? {}) as Given, change as Given);
  }
  return next;
}

/** What is said of a job, with changes. */
export function changedJob(job: JobOptions, changes: JobOptions): JobOptions {
  const next: JobOptions = { ...job, ...changes };
  return {
    ...next,
    ...(next.resources && { resources: { ...job.resources, ...changes.resources } }),
    ...(next.environment && { environment: { ...job.environment, ...changes.environment } }),
  };
}

/** The namespace that a value is for; undefined for what is one piece of data. */
function namespaceAt(port: NamespacePort, name: string, value: unknown): NamespacePort | undefined {
  const part = portAt(port, [name]);
  const isMapping = typeof value === 'object' && value !== null && !(value instanceof Data);
  return part?.kind === 'namespace' && isMapping ? part : undefined;
}
