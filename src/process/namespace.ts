import { z } from 'zod';
import { WherryError } from '../errors.js';
import type { FileContent, FileData, FolderData, LocalFile, RemoteFolderData } from './data.js';

/** What a schema of a port can stand for, beside one JSON value. */
export type MarkedKind = 'namespace' | 'file' | 'folder' | 'remote-folder' | 'any';

interface Mark {
  readonly kind: MarkedKind;
  readonly populateDefaults?: boolean;
}

/**
 * The mark is kept in the definition that a schema carries with it: so it stays when the schema is refined, described
 * or extended.
 */
const key = 'wherryPort';

function marked<Schema extends z.core.$ZodType>(schema: Schema, mark: Mark, changes: object = {}): Schema {
  const definition: object = { ...schema._zod.def, ...changes, [key]: mark };
  return z.core.clone(schema, definition as Schema['_zod']['def'], { parent: true });
}

/** The mark of a schema; undefined for one that stands for a JSON value. */
export function markOf(schema: z.core.$ZodType): Mark | undefined {
  return (schema._zod.def as { readonly [key]?: Mark })[key];
}

declare const namespaceBrand: unique symbol;

/** A mapping whose entries are ports of their own, each with its own piece of data. */
export interface ZodNamespace<
  Shape extends z.core.$ZodLooseShape = z.core.$ZodLooseShape,
  Config extends z.core.$ZodObjectConfig = z.core.$strict,
> extends z.ZodObject<Shape, Config> {
  readonly [namespaceBrand]: true;
}

export type NamespaceOptions = {
  /** The schema of entries that are not named in the shape. Without it there can be none. */
  readonly dynamic?: z.ZodType;
  /** One sentence for people. */
  readonly help?: string;
} & (
  | { readonly optional?: false }
  | {
      /** It may be left out, with everything in it. */
      readonly optional: true;
      /**
       * When it is left out, but defaults alone would make it complete: is it filled with them (default), or is it
       * absent?
       */
      readonly populateDefaults?: boolean;
    }
);

type ConfigOf<Options> = Options extends { readonly dynamic: infer Leaf extends z.core.SomeType }
  ? z.core.$catchall<Leaf>
  : z.core.$strict;

export type NamespaceOf<Shape extends z.core.$ZodLooseShape, Options> = Options extends { readonly optional: true }
  ? z.ZodOptional<ZodNamespace<Shape, ConfigOf<Options>>>
  : ZodNamespace<Shape, ConfigOf<Options>>;

/**
 * Nested ports: every entry is a piece of data of its own under a dotted label, where a `z.object` is one value. A check
 * of the whole (`.refine`) comes when all entries are good.
 * Errors: `bad-definition` for an option that does not exist
 */
export function namespace<
  const Shape extends z.core.$ZodLooseShape,
  const Options extends NamespaceOptions = Record<never, never>,
>(shape: Shape, options?: Options): NamespaceOf<Shape, Options> {
  return asNamespace(z.strictObject(shape), options) as unknown as NamespaceOf<Shape, Options>;
}

/** The options without what TypeScript is told about which of them go together. */
interface AllNamespaceOptions {
  readonly dynamic?: z.ZodType;
  readonly help?: string;
  readonly optional?: boolean;
  readonly populateDefaults?: boolean;
}

/** A `z.object` with everything that it has, as a namespace. Errors: `bad-definition` for an unknown option. */
export function asNamespace(object: z.ZodObject, options: AllNamespaceOptions = {}): z.ZodType {
  const { dynamic, help, optional, populateDefaults, ...unknown } = options;
  const [name] = Object.keys(unknown);
  if (name !== undefined) {
    throw new WherryError('bad-definition', `a namespace has no option ${JSON.stringify(name)}`, {
      hint: 'there are dynamic, help, optional and populateDefaults',
    });
  }
  const kept = populateDefaults ?? markOf(object)?.populateDefaults ?? true;
  const plain = marked(object, { kind: 'namespace', populateDefaults: kept }, dynamic && { catchall: dynamic });
  const described = help === undefined ? plain : plain.describe(help);
  return optional ? described.optional() : described;
}

/** One file: a `LocalFile`, a `FileContent`, or the data of a file. Checks are given a `FileData`. */
export function file(): z.ZodType<FileData, FileData | LocalFile | FileContent> {
  const schema = marked(z.custom<FileData>(), { kind: 'file' });
  return schema as unknown as z.ZodType<FileData, FileData | LocalFile | FileContent>;
}

/** A tree of files: a `LocalFile` that is a folder, or the data of one. Checks are given a `FolderData`. */
export function folder(): z.ZodType<FolderData, FolderData | LocalFile> {
  return marked(z.custom<FolderData>(), { kind: 'folder' }) as unknown as z.ZodType<FolderData, FolderData | LocalFile>;
}

/** A directory on a computer, which stays there. */
export function remoteFolder(): z.ZodType<RemoteFolderData, RemoteFolderData | RemotePlace> {
  const schema = marked(z.custom<RemoteFolderData>(), { kind: 'remote-folder' });
  return schema as unknown as z.ZodType<RemoteFolderData, RemoteFolderData | RemotePlace>;
}

/** Data of any kind: a value, a file or folder, or a directory on a computer. Checks are given the value, or the data. */
export function anyData(): z.ZodType<unknown, unknown> {
  return marked(z.custom<unknown>(), { kind: 'any' });
}

/** Where a directory is: the label of a computer, and an absolute path there. */
export interface RemotePlace {
  readonly computer: string;
  readonly path: string;
}
