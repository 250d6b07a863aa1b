import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { InputIssue } from '../errors.js';
import type { ProcessSpec } from './definition.js';
import { jsonCopy } from './serialize-value.js';
import { type LeafPort, type NamespacePort, type Port, portsOf } from './spec.js';

/** A JSON Schema. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** The inputs and outputs of a process as JSON Schema of draft 2020-12. Files are told by `x-data`. */
export interface SpecSchema {
  readonly inputs: JsonSchema;
  readonly outputs: JsonSchema;
}

const dialect = 'https://json-schema.org/draft/2020-12/schema';

/** What a process takes and gives, for editors, forms and other programs. */
export function specSchema(spec: ProcessSpec): SpecSchema {
  const schemaOf = (what: 'inputs' | 'outputs'): JsonSchema => ({
    $schema: dialect,
    ...portSchema(portsOf(spec[what]), `urn:wherry:${encodeURIComponent(spec.name)}:${what}`),
  });
  return { inputs: schemaOf('inputs'), outputs: schemaOf('outputs') };
}

/** @param id a URN of the port, for what refers to itself */
export function portSchema(port: Port, id = 'urn:wherry'): JsonSchema {
  const help = port.help === undefined ? {} : { description: port.help };
  const preset = defaultOf(port);
  const common = { ...help, ...(preset === undefined || 'computed' in preset ? {} : { default: preset.value }) };
  return port.kind === 'namespace'
    ? { ...namespaceSchema(port, id), ...common }
    : { ...leafSchema(port, id), ...common };
}

function namespaceSchema(port: NamespacePort, id: string): JsonSchema {
  const ports = [...port.ports];
  const required = ports.filter(([, part]) => isRequired(part)).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(ports.map(([name, part]) => [name, portSchema(part, `${id}:${name}`)])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: port.dynamic === undefined ? false : portSchema(port.dynamic, `${id}:*`),
  };
}

/** Must something be given for it? For a namespace, when that holds for something in it. */
export function isRequired(port: Port): boolean {
  if (port.optional) return false;
  return port.kind !== 'namespace' || [...port.ports.values()].some(isRequired);
}

/** The default of a port as JSON; `computed` when it is another each time, or is no JSON; undefined when it has none. */
export function defaultOf(port: Port): { readonly value: unknown } | { readonly computed: true } | undefined {
  if (port.default === undefined) return undefined;
  try {
    const [value, again] = [port.default(), port.default()];
    const issues: InputIssue[] = [];
    const json = jsonCopy(value, [], issues);
    return issues.length === 0 && isDeepStrictEqual(value, again) ? { value: json } : { computed: true };
  } catch {
    return { computed: true };
  }
}

function leafSchema(port: LeafPort, id: string): JsonSchema {
  if (port.kind === 'any') return {};
  if (port.kind !== 'value') return { 'x-data': port.kind };
  const { $schema: _, ...schema } = z.toJSONSchema(withoutDefault(port.schema), {
    io: 'input',
    unrepresentable: 'any',
  });
  // What refers to itself does so from its own root, wherever it stands.
  return JSON.stringify(schema).includes('"$ref"') ? { $id: encodeURI(id), ...schema } : schema;
}

/** That it may be left out is said where it stands; asking for a lazy default would compute it. */
function withoutDefault(schema: z.ZodType): z.ZodType {
  const { type, innerType } = schema.def as { readonly type: string; readonly innerType?: z.ZodType };
  return innerType !== undefined && around.has(type) ? withoutDefault(innerType) : schema;
}

const around = new Set(['optional', 'default', 'prefault', 'nonoptional', 'readonly', 'catch']);
