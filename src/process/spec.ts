import { z } from 'zod';
import { WherryError } from '../errors.js';
import { type MarkedKind, markOf } from './namespace.js';

interface AnyPort {
  readonly help: string | undefined;
  /** May it be left out? */
  readonly optional: boolean;
  /** Gives its default anew each time; undefined when it has none, or one that is none before it is transformed. */
  readonly default: (() => unknown) | undefined;
  /** With all that is around it: that it may be left out, its default, its checks. */
  readonly schema: z.ZodType;
}

/** One piece of data that a process takes or gives. */
export interface LeafPort extends AnyPort {
  readonly kind: 'value' | Exclude<MarkedKind, 'namespace'>;
}

/** Ports under a common name. */
export interface NamespacePort extends AnyPort {
  readonly kind: 'namespace';
  readonly ports: ReadonlyMap<string, Port>;
  /** What stands for entries that are not named; undefined when there can be none. */
  readonly dynamic: Port | undefined;
  readonly populateDefaults: boolean;
  /** The checks of the whole, without those of its entries; undefined when there are none. */
  readonly whole: z.ZodType | undefined;
}

export type Port = LeafPort | NamespacePort;

/** There are other libraries of schemas, and older versions of this one. */
const noSchema = "import { z } from 'wherry'";

const known = new WeakMap<z.ZodObject, NamespacePort>();

/**
 * The ports of a schema of inputs or outputs, which is a namespace itself. Errors: `bad-definition`, with all that is
 * wrong.
 */
export function portsOf(schema: z.ZodObject): NamespacePort {
  const remembered = known.get(schema);
  if (remembered !== undefined) return remembered;
  if (!isSchema(schema) || (schema as z.core.$ZodType)._zod.def.type !== 'object') {
    throw new WherryError('bad-definition', 'they are no z.object', { hint: noSchema });
  }
  const flaws: string[] = [];
  const port = rootPort(schema, flaws);
  if (flaws.length > 0) throw new WherryError('bad-definition', flaws.join('\n'));
  known.set(schema, port);
  return port;
}

/** The port at a path; undefined when none is declared there. */
export function portAt(root: NamespacePort, path: readonly string[]): Port | undefined {
  let port: Port | undefined = root;
  for (const name of path) {
    if (port?.kind !== 'namespace') return undefined;
    port = port.ports.get(name) ?? port.dynamic;
  }
  return port;
}

/** Why a name cannot be that of a port: labels are names with dots between them, and are shown to people. */
export function flawOfName(name: string): string | undefined {
  if (name === '') return 'the name of a port is empty';
  if (name.length > mostCharacters) return `the name of a port has more than ${mostCharacters} characters`;
  if (name === '__proto__' || !/^[^\p{C}\p{Z}.]+$/u.test(name)) {
    return 'the name of a port has dots, spaces or invisible characters, or is __proto__';
  }
  return undefined;
}

const mostCharacters = 200;

const nouns: Readonly<Record<MarkedKind, string>> = {
  namespace: 'a namespace',
  file: 'a file',
  folder: 'a folder',
  'remote-folder': 'a folder on a computer',
  any: 'data of any kind',
};

function portOf(schema: z.ZodType, path: readonly string[], flaws: string[]): Port {
  const { inner, help, refused, computed } = unwrapped(schema);
  const kind = markOf(inner)?.kind;
  const place = path.join('.');
  const common = { schema, help, optional: mayBeLeftOut(schema), default: computed };
  if (kind === undefined) {
    for (const found of marksIn(inner)) {
      flaws.push(`${place}: ${nouns[found]} cannot be inside of a value; make a namespace of what is around it`);
    }
    return { ...common, kind: 'value' };
  }
  if (refused !== undefined && kind !== 'any') {
    flaws.push(`${place}: ${nouns[kind]} cannot be ${refused}; it may be optional`);
  }
  if (kind !== 'namespace') return { ...common, kind };
  return { ...common, ...namespacePort(inner as z.ZodObject, path, flaws), whole: hollow(schema) };
}

function rootPort(schema: z.ZodObject, flaws: string[]): NamespacePort {
  const ports = namespacePort(schema, [], flaws);
  return { schema, help: schema.description, optional: false, default: undefined, ...ports, whole: hollow(schema) };
}

function namespacePort(schema: z.ZodObject, path: readonly string[], flaws: string[]) {
  const ports = new Map<string, Port>();
  for (const [name, entry] of Object.entries(schema.shape)) {
    const flaw = flawOfName(name);
    if (flaw !== undefined) flaws.push(`${[...path, JSON.stringify(name)].join('.')}: ${flaw}`);
    if (isSchema(entry)) ports.set(name, portOf(entry as z.ZodType, [...path, name], flaws));
    else flaws.push(`${[...path, name].join('.')}: is no schema; ${noSchema}`);
  }
  const { catchall } = schema.def;
  const closed = catchall === undefined || catchall._zod.def.type === 'never';
  return {
    kind: 'namespace' as const,
    ports,
    dynamic: closed ? undefined : portOf(catchall as z.ZodType, [...path, '*'], flaws),
    populateDefaults: markOf(schema)?.populateDefaults ?? true,
  };
}

/** What takes anything takes no value as well, but does not mean it. */
function mayBeLeftOut(schema: z.core.$ZodType): boolean {
  const def = schema._zod.def as { readonly type: string; readonly options?: readonly z.core.$ZodType[] };
  if (schema._zod.optin !== undefined || def.type === 'undefined' || def.type === 'void') return true;
  return def.type === 'union' && (def.options ?? []).some(mayBeLeftOut);
}

interface Unwrapped {
  readonly inner: z.ZodType;
  readonly help: string | undefined;
  /** What it can be and should not, were it a file or a namespace. */
  readonly refused: string | undefined;
  readonly computed: (() => unknown) | undefined;
}

/** What a schema is when what says that it may be left out is taken off. */
function unwrapped(schema: z.ZodType): Unwrapped {
  let inner = schema;
  let { description: help } = schema;
  let refused: string | undefined;
  let computed: (() => unknown) | undefined;
  for (;;) {
    const def = inner.def as WrapperDefinition;
    if (def.innerType === undefined || !wrappers.has(def.type)) return { inner, help, refused, computed };
    if (def.type === 'nullable') refused ??= 'null';
    if (def.type === 'catch') refused ??= 'replaced when it is bad';
    // A default that stands for the result of a transformation cannot be checked as if it had been given.
    const isResult = def.type === 'default' && transforms(def.innerType);
    if ('defaultValue' in def && !isResult) computed ??= () => def.defaultValue;
    inner = def.innerType;
    help ??= inner.description;
  }
}

interface WrapperDefinition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly defaultValue?: unknown;
  readonly checks?: readonly unknown[];
}

const wrappers = new Set(['optional', 'default', 'prefault', 'nonoptional', 'readonly', 'nullable', 'catch']);

/** A namespace with all its checks and none of its ports; undefined when it has no checks. */
function hollow(schema: z.ZodType): z.ZodType | undefined {
  const checks: unknown[] = [];
  let part: z.ZodType | undefined = schema;
  while (part !== undefined) {
    const def = part.def as WrapperDefinition;
    checks.unshift(...(def.checks ?? []));
    part = wrappers.has(def.type) ? def.innerType : undefined;
  }
  return checks.length === 0 ? undefined : z.looseObject({}).check(...(checks as z.core.$ZodCheck<object>[]));
}

function transforms(schema: z.core.$ZodType, seen = new Set<z.core.$ZodType>()): boolean {
  if (seen.has(schema)) return false;
  seen.add(schema);
  const { type } = schema._zod.def;
  return type === 'pipe' || type === 'transform' || partsOf(schema).some((part) => transforms(part, seen));
}

/** The kinds of marked schemas somewhere inside of another. */
function marksIn(schema: z.core.$ZodType, seen = new Set<z.core.$ZodType>()): Set<MarkedKind> {
  const found = new Set<MarkedKind>();
  if (seen.has(schema)) return found;
  seen.add(schema);
  for (const part of partsOf(schema)) {
    const mark = markOf(part);
    if (mark !== undefined) found.add(mark.kind);
    for (const kind of marksIn(part, seen)) found.add(kind);
  }
  return found;
}

/** The schemas that a schema is made of. A default is not looked at: asking for a lazy one would compute it. */
export function partsOf(schema: z.core.$ZodType): z.core.$ZodType[] {
  const { def } = schema._zod;
  return Object.keys(def)
    .filter((name) => name !== 'defaultValue')
    .map((name) => (def as unknown as Readonly<Record<string, unknown>>)[name])
    .flatMap((part) => (isMapping(part) && !isSchema(part) ? Object.values(part) : [part]))
    .filter(isSchema);
}

function isMapping(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isSchema(value: unknown): value is z.core.$ZodType {
  return isMapping(value) && '_zod' in value && 'parse' in value;
}
