import { dotted, type Path } from '../config/issues.js';
import type { InputIssue } from '../errors.js';
import { Data, FileContent, LocalFile } from './data.js';

/** Levels of nesting beyond which a value is refused, and not the stack of whoever reads it. */
const deepest = 1_000;

/** Mistakes in one value that are told. */
const mostTold = 100;

/**
 * A copy of a value that is JSON and nothing else: what the given value is changed to later does not change it. Entries
 * that are `undefined` are left out. What is no JSON is told as an issue for each place where it stands, up to a
 * hundred of them.
 */
export function jsonCopy(value: unknown, path: Path, issues: InputIssue[]): unknown {
  return new Copier(path, issues).copy(value);
}

class Copier {
  /** Where the value stands that is being copied. */
  readonly #path: PropertyKey[];
  readonly #issues: InputIssue[];
  #refused = 0;
  /** The collections around it. */
  readonly #above = new Set<object>();

  constructor(path: Path, issues: InputIssue[]) {
    this.#path = [...path];
    this.#issues = issues;
  }

  copy(value: unknown): unknown {
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'string') return this.#text(value);
    if (typeof value === 'number') return this.#number(value);
    if (typeof value !== 'object') return this.#refuse(`is ${nameOf(value)}, which is no JSON`);
    if (this.#above.has(value)) return this.#refuse('contains itself');
    if (this.#above.size >= deepest) return this.#refuse(`is nested more than ${deepest} levels deep`);
    this.#above.add(value);
    const copied = Array.isArray(value) ? this.#list(value) : this.#mapping(value);
    this.#above.delete(value);
    return copied;
  }

  #list(value: readonly unknown[]): unknown {
    // Unlike `map`, this sees holes.
    return Array.from(value, (part, index) => this.#part(index, part));
  }

  #mapping(value: object): unknown {
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== null && prototype !== Object.prototype) return this.#refuse(instanceMessage(value));
    const entries: [string, unknown][] = [];
    for (const name of Object.keys(value)) {
      const part = (value as Readonly<Record<string, unknown>>)[name];
      if (part !== undefined) entries.push([name, this.#part(name, part)]);
    }
    return Object.fromEntries(entries);
  }

  #part(name: string | number, value: unknown): unknown {
    this.#path.push(name);
    if (typeof name === 'string' && !isWellFormed(name)) this.#refuse('has half a character in its name');
    const copied = this.copy(value);
    this.#path.pop();
    return copied;
  }

  #text(value: string): unknown {
    return isWellFormed(value) ? value : this.#refuse('has half a character (a lone surrogate) in it');
  }

  #number(value: number): unknown {
    if (!Number.isFinite(value)) return this.#refuse(`is ${value}, which is no JSON`);
    // JSON has no negative zero: it would be another value after it was stored.
    return value === 0 ? 0 : value;
  }

  #refuse(message: string): undefined {
    this.#refused += 1;
    if (this.#refused <= mostTold) this.#issues.push({ path: dotted(this.#path), message });
  }
}

function isWellFormed(text: string): boolean {
  return !/\p{Cs}/u.test(text);
}

function nameOf(value: unknown): string {
  return value === undefined ? 'nothing' : `a ${typeof value}`;
}

function instanceMessage(value: object): string {
  if (value instanceof Data) return 'is stored data inside of a value; give its value, or make a namespace around it';
  if (value instanceof LocalFile || value instanceof FileContent) return 'is a file, where a value is asked for';
  const name: unknown = value.constructor?.name;
  return `is an instance of ${typeof name === 'string' && name !== '' ? name : 'a class'}, which is no JSON`;
}
