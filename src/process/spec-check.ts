import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { dotted, type Path } from '../config/issues.js';
import { didYouMean } from '../config/nearest.js';
import { examine } from '../config/validate.js';
import { type InputIssue, messageOf } from '../errors.js';
import type { NewData } from '../store/data.js';
import type { Repository } from '../store/repository.js';
import { Data, deepFreeze } from './data.js';
import { type FileKind, kindOf, mismatch, nounOf, serializeFile } from './serialize.js';
import { jsonCopy } from './serialize-value.js';
import { flawOfName, type LeafPort, type NamespacePort, type Port } from './spec.js';

/** One leaf of nested inputs or outputs under its dotted label. */
export interface Leaf {
  readonly label: string;
  /** Data is stored already and keeps its identity; new data is to be stored. */
  readonly data: Data | NewData;
}

/** What came of a check: what is good, and all that is wrong. */
export interface Checked {
  readonly leaves: readonly Leaf[];
  readonly issues: readonly InputIssue[];
  /** Of these issues, those that tell of something that was never declared. */
  readonly undeclared: readonly InputIssue[];
}

/** Checks what was given for a port, with defaults filled in. What is wrong in one place hides nothing elsewhere. */
export async function checkPort(
  port: Port,
  given: unknown,
  path: readonly string[],
  repository: Repository,
): Promise<Checked> {
  const check = new Check(repository);
  await check.port(port, given, path);
  return check;
}

/** Stands for an entry that is not there, or that is wrong: that it may not be missing is told by its own check. */
const absent = Symbol('absent');

/** Allowed names beyond which a list of them helps nobody. */
const mostNames = 12;

class Check implements Checked {
  readonly leaves: Leaf[] = [];
  readonly issues: InputIssue[] = [];
  readonly undeclared: InputIssue[] = [];
  readonly repository: Repository;

  constructor(repository: Repository) {
    this.repository = repository;
  }

  /** Checks what was given for one port. Returns what a check of the namespace around it sees. */
  async port(port: Port, given: unknown, path: readonly string[]): Promise<unknown> {
    if (given !== undefined || port.default === undefined) return this.#given(port, given, path);
    const before = this.issues.length;
    const value = await this.#default(port.default, path);
    const seen = value === absent ? absent : await this.#given(port, value, path);
    for (let at = before; at < this.issues.length; at++) {
      const issue = this.issues[at];
      if (issue !== undefined) this.issues[at] = { ...issue, message: `its default ${issue.message}` };
    }
    return seen;
  }

  async #default(compute: () => unknown, path: Path): Promise<unknown> {
    try {
      return await compute();
    } catch (error) {
      return this.#refuse(path, `could not be computed: ${messageOf(error)}`);
    }
  }

  async #given(port: Port, given: unknown, path: readonly string[]): Promise<unknown> {
    if (port.kind === 'namespace') return this.#namespace(port, given, path);
    if (given === undefined && !port.optional) return this.#refuse(path, 'is missing');
    const kind = port.kind === 'any' ? await kindOf(given) : port.kind;
    return kind === 'value' ? this.#value(port, given, path) : this.#file(kind, port.schema, given, path);
  }

  async #namespace(port: NamespacePort, given: unknown, path: readonly string[]): Promise<unknown> {
    if (given === undefined && port.optional && !(port.populateDefaults && fillsItself(port))) return absent;
    if (given !== undefined && !isMapping(given)) {
      const found = given instanceof Data ? `, not ${nounOf(given)}: each of its entries is data of its own` : '';
      return this.#refuse(path, `must be a mapping${found}`);
    }
    const entries = (given ?? {}) as Readonly<Record<string, unknown>>;
    const before = { issues: this.issues.length, leaves: this.leaves.length };
    const seen: [string, unknown][] = [];
    for (const [name, part] of port.ports) {
      const value = Object.hasOwn(entries, name) ? entries[name] : undefined;
      seen.push([name, await this.port(part, value, [...path, name])]);
    }
    for (const name of Object.keys(entries)) {
      if (!port.ports.has(name)) seen.push([name, await this.#unnamed(port, name, entries[name], path)]);
    }
    if (this.issues.length > before.issues) return absent;
    if (port.optional) this.#keepEmpty(path, before.leaves);
    const values = Object.freeze(Object.fromEntries(seen.filter(([, value]) => value !== absent)));
    await this.#whole(port, values, path);
    return values;
  }

  /** A namespace that was given empty, where it might have been absent, is there: nothing below it would tell so. */
  #keepEmpty(path: readonly string[], leavesBefore: number): void {
    if (this.leaves.length === leavesBefore) {
      this.leaves.push({ label: path.join('.'), data: { type: 'value', content: {} } });
    }
  }

  /** An entry that the namespace has no name for. */
  async #unnamed(port: NamespacePort, name: string, given: unknown, path: readonly string[]): Promise<unknown> {
    const here = [...path, name];
    if (port.dynamic === undefined) {
      const names = [...port.ports.keys()];
      const allowed = names.length > 0 && names.length <= mostNames ? ` (allowed: ${names.join(', ')})` : '';
      this.#refuse(here, `is not declared${didYouMean(name, names) || allowed}`);
      this.undeclared.push(...this.issues.slice(-1));
      return absent;
    }
    if (given === undefined) return absent;
    const flaw = flawOfName(name);
    if (flaw !== undefined) return this.#refuse(here, flaw);
    const leavesBefore = this.leaves.length;
    const seen = await this.port(port.dynamic, given, here);
    if (port.dynamic.kind === 'namespace' && seen !== absent) this.#keepEmpty(here, leavesBefore);
    return seen;
  }

  /** The checks of a namespace as a whole; those of its entries are done, and are not done again. */
  async #whole(port: NamespacePort, values: object, path: Path): Promise<void> {
    if (port.whole === undefined) return;
    const result = await examine(values, port.whole, path);
    if ('issues' in result) this.issues.push(...result.issues);
  }

  async #value({ schema }: LeafPort, given: unknown, path: readonly string[]): Promise<unknown> {
    const stored = given instanceof Data ? given : undefined;
    if (stored !== undefined && stored.type !== 'value') {
      return this.#refuse(path, mismatch('value', nounOf(stored)));
    }
    if (given === undefined && isPlainOptional(schema)) return absent;
    const raw = stored === undefined ? this.#json(given, path) : stored.value;
    if (raw === absent) return absent;
    const result = await examine(raw, schema, path);
    if ('issues' in result) {
      this.issues.push(...result.issues);
      return absent;
    }
    const content = result.value === raw ? raw : this.#json(result.value, path);
    if (content === undefined || content === absent) return absent;
    const same = stored !== undefined && isDeepStrictEqual(content, stored.value);
    this.leaves.push({
      label: path.join('.'),
      data: same ? stored : { type: 'value', content },
    });
    return content;
  }

  /** A copy of a value; undefined stays, for a schema that may be left out. */
  #json(value: unknown, path: Path): unknown {
    const before = this.issues.length;
    const copied = value === undefined ? undefined : jsonCopy(value, path, this.issues);
    // Frozen before checks of the definition see it: what they approved of is what is stored.
    return this.issues.length > before ? absent : deepFreeze(copied);
  }

  async #file(kind: FileKind, schema: z.ZodType, given: unknown, path: readonly string[]): Promise<unknown> {
    if (given === undefined) return absent;
    const piece = await serializeFile(kind, given, path, this);
    if (piece === undefined) return absent;
    const result = await examine(piece.seen, schema, path);
    if ('issues' in result) {
      this.issues.push(...result.issues);
      return absent;
    }
    this.leaves.push({ label: path.join('.'), data: piece.data });
    return piece.seen;
  }

  #refuse(path: Path, message: string): typeof absent {
    this.issues.push({ path: dotted(path), message });
    return absent;
  }
}

/** Is it optional, and nothing in it makes something of a value that is not there? */
function isPlainOptional(schema: z.ZodType): boolean {
  const { type, innerType } = schema.def as { readonly type: string; readonly innerType?: z.ZodType };
  return type === 'optional' && innerType?._zod.optin === undefined;
}

function isMapping(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/** Would defaults alone make a namespace complete, and is there one? */
function fillsItself(port: NamespacePort): boolean {
  const ports = [...port.ports.values()];
  return ports.every(isComplete) && ports.some(hasDefault);
}

function isComplete(port: Port): boolean {
  return port.optional || (port.kind === 'namespace' && [...port.ports.values()].every(isComplete));
}

function hasDefault(port: Port): boolean {
  if (port.default !== undefined) return true;
  if (port.kind !== 'namespace') return false;
  return port.optional ? port.populateDefaults && fillsItself(port) : [...port.ports.values()].some(hasDefault);
}
