import { z } from 'zod';
import { WherryError } from '../errors.js';
import type { Chosen, ExposedShape, Exposure, Placed } from './expose-types.js';
import { asNamespace, namespace } from './namespace.js';
import { type NamespacePort, type Port, portAt, portsOf } from './spec.js';
import type { GivenOf } from './spec-types.js';

export type { Exposure } from './expose-types.js';

/**
 * The inputs of another process, to be spread into the shape of one's own. Each keeps its default, help and checks.
 * Checks of a namespace as a whole go along where the whole namespace does.
 * Errors: `bad-definition` for names that the process does not have, and for `include` together with `exclude`
 */
export function exposeInputs<Schema extends z.ZodObject, const Options extends Exposure = Record<never, never>>(
  child: { readonly inputs: Schema },
  options?: Options,
): ExposedShape<Schema, Options> {
  return expose(child.inputs, options ?? {}) as ExposedShape<Schema, Options>;
}

/** The outputs of another process, as `exposeInputs` does it for inputs. */
export function exposeOutputs<Schema extends z.ZodObject, const Options extends Exposure = Record<never, never>>(
  child: { readonly outputs: Schema },
  options?: Options,
): ExposedShape<Schema, Options> {
  return expose(child.outputs, options ?? {}) as ExposedShape<Schema, Options>;
}

/**
 * The checks that another process makes of its inputs as a whole, to be made of one's own that have all of them beside
 * others. Without it the other makes them when it is called.
 *
 * @example
 * inputs: z.object({ ...exposeInputs(Child), more: z.string() }).check(exposedCheck(Child)),
 */
export function exposedCheck(child: { readonly inputs: z.ZodObject }): z.core.CheckFn<object> {
  const port = portsOf(child.inputs);
  return async ({ value, issues }) => {
    const own = picked({ ...port, dynamic: undefined }, value, everything);
    const result = await port.whole?.safeParseAsync(own);
    for (const issue of result?.error?.issues ?? []) issues.push({ ...issue, input: own } as z.core.$ZodRawIssue);
  };
}

/**
 * The part of a process's inputs that was exposed from another, to be given to that. It takes plain values as well as
 * data, whose identity is kept.
 * @param options those that it was exposed with
 */
export function exposedInputs<Schema extends z.ZodObject, const Options extends Exposure = Record<never, never>>(
  child: { readonly inputs: Schema },
  inputs: object,
  options?: Options,
): GivenOf<Chosen<Schema, Options>> {
  const chosen: Exposure = options ?? {};
  const port = portsOf(child.inputs);
  const part = namesIn(chosen.namespace).reduce<unknown>(entryOf, inputs);
  // Beside other ports, what has no name of its own cannot be told from them.
  const own = chosen.namespace === undefined ? { ...port, dynamic: undefined } : port;
  return picked(own, part, rulesOf(child.inputs, chosen)) as GivenOf<Chosen<Schema, Options>>;
}

/**
 * The outputs of another process, as those who exposed them give them: spread them into what is returned.
 * @param options those that they were exposed with
 */
export function exposedOutputs<Schema extends z.ZodObject, const Options extends Exposure = Record<never, never>>(
  child: { readonly outputs: Schema },
  outputs: object,
  options?: Options,
): Options extends { readonly namespace: infer Place }
  ? Placed<Place, GivenOf<Chosen<Schema, Options>>>
  : GivenOf<Chosen<Schema, Options>> {
  const chosen: Exposure = options ?? {};
  const part: unknown = picked(portsOf(child.outputs), outputs, rulesOf(child.outputs, chosen));
  return namesIn(chosen.namespace).reduceRight<unknown>((inner, name) => ({ [name]: inner }), part) as never;
}

function namesIn(place: string | undefined): string[] {
  return place === undefined ? [] : place.split('.');
}

/** Which ports of a namespace are meant. */
interface Rules {
  readonly way: 'include' | 'exclude';
  readonly paths: readonly (readonly string[])[];
}

const everything: Rules = { way: 'exclude', paths: [] };

function expose(schema: z.ZodObject, options: Exposure): object {
  const rules = rulesOf(schema, options);
  const { namespace: place, options: changes } = options;
  const chosen = narrowed(schema, rules);
  if (place !== undefined) {
    const names = place.split('.');
    const inner: z.ZodType = asNamespace(chosen, changes);
    return names.reduceRight<object>(
      (part, name, depth) => ({ [name]: depth === names.length - 1 ? part : namespace(part as z.core.$ZodLooseShape) }),
      inner,
    );
  }
  if (changes !== undefined) {
    throw new WherryError('bad-definition', 'options are those of a namespace, and none is given to expose ports in');
  }
  return chosen.shape;
}

function rulesOf(schema: z.ZodObject, { include, exclude }: Exposure): Rules {
  if (include !== undefined && exclude !== undefined) {
    throw new WherryError('bad-definition', 'include and exclude cannot both be given');
  }
  const names = include ?? exclude;
  if (names === undefined) return everything;
  const root = portsOf(schema);
  const paths = names.map((name) => name.split('.'));
  const unknown = names.filter((_name, at) => !isNamed(root, paths[at] ?? []));
  if (unknown.length > 0) {
    throw new WherryError('bad-definition', `there are no ports ${unknown.join(', ')} to expose`, {
      hint: `there are ${[...root.ports.keys()].join(', ')}`,
    });
  }
  return { way: include === undefined ? 'exclude' : 'include', paths };
}

/** Is there a port of this name? Entries of a dynamic namespace have none before they are given. */
function isNamed(root: NamespacePort, path: readonly string[]): boolean {
  const parent = portAt(root, path.slice(0, -1));
  return parent?.kind === 'namespace' && parent.ports.has(path.at(-1) ?? '');
}

/** What rules say of one port: all of it, nothing of it, or rules for what is in it. */
function ruleFor({ way, paths }: Rules, name: string): 'all' | 'nothing' | Rules {
  const mine = paths.filter(([first]) => first === name);
  if (mine.some(({ length }) => length === 1)) return way === 'include' ? 'all' : 'nothing';
  if (mine.length === 0) return way === 'include' ? 'nothing' : 'all';
  return { way, paths: mine.map((path) => path.slice(1)) };
}

/** A schema of some of the entries of another. Its checks are left behind when entries are: they may need those. */
function narrowed(schema: z.ZodObject, rules: Rules): z.ZodObject {
  const shape: Record<string, z.core.$ZodType> = {};
  let whole = true;
  for (const [name, entry] of Object.entries(schema.shape)) {
    const rule = ruleFor(rules, name);
    if (rule !== 'all') whole = false;
    if (rule === 'all') shape[name] = entry;
    else if (rule !== 'nothing') shape[name] = narrowedWithin(entry as z.ZodType, rule);
  }
  return whole ? schema : redefined(schema, { shape, checks: [] });
}

/** Narrows the namespace that is inside of what says that it is optional. */
function narrowedWithin(schema: z.ZodType, rules: Rules): z.ZodType {
  if (schema.def.type === 'object') return narrowed(schema as z.ZodObject, rules);
  const { innerType } = schema.def as unknown as { readonly innerType: z.ZodType };
  return redefined(schema, { innerType: narrowedWithin(innerType, rules), checks: [] });
}

/** A schema with more entries, where it has none of these names. */
export function withPorts(schema: z.ZodObject, more: z.core.$ZodLooseShape): z.ZodObject {
  // What is no schema is told when the process is registered.
  if (!(schema instanceof z.ZodObject)) return schema;
  const fresh = Object.entries(more).filter(([name]) => !Object.hasOwn(schema.shape, name));
  return redefined(schema, { shape: { ...schema.shape, ...Object.fromEntries(fresh) } });
}

/** A default is taken over as it is, for asking for a lazy one would compute it. */
function redefined<Schema extends z.ZodType>(schema: Schema, changes: object): Schema {
  const definition = Object.defineProperties({}, Object.getOwnPropertyDescriptors(schema.def));
  for (const [name, value] of Object.entries(changes)) {
    Object.defineProperty(definition, name, { value, enumerable: true, configurable: true, writable: true });
  }
  return z.core.clone(schema, definition as Schema['def'], { parent: true });
}

function picked(port: NamespacePort, given: unknown, rules: Rules): Record<string, unknown> {
  const entries: [string, unknown][] = [];
  for (const [name, value] of Object.entries((given ?? {}) as object)) {
    const part = port.ports.get(name);
    const rule = part === undefined ? 'all' : ruleFor(rules, name);
    if (rule === 'nothing' || (part === undefined && port.dynamic === undefined)) continue;
    entries.push([name, rule === 'all' ? value : pickedWithin(part, value, rule)]);
  }
  return Object.fromEntries(entries);
}

function pickedWithin(part: Port | undefined, value: unknown, rules: Rules): unknown {
  return part?.kind === 'namespace' ? picked(part, value, rules) : value;
}

function entryOf(values: unknown, name: string): unknown {
  const isObject = typeof values === 'object' && values !== null;
  return isObject && Object.hasOwn(values, name) ? (values as Readonly<Record<string, unknown>>)[name] : undefined;
}
