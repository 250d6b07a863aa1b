import type { z } from 'zod';
import type { Data } from './data.js';
import type { ZodNamespace } from './namespace.js';

/** What the types of a definition are taken from. */
interface Ports {
  readonly inputs: z.ZodObject;
  readonly outputs: z.ZodObject;
}

/** What a caller may give: plain values, stored data of such values, local files where a file is asked for. */
export type InputsOf<Spec extends Pick<Ports, 'inputs'>> = GivenOf<Spec['inputs']>;

/** What a process sees of its inputs. */
export type SeenInputsOf<Spec extends Pick<Ports, 'inputs'>> = z.output<Spec['inputs']>;

/** What others see of the outputs of a process. */
export type OutputsOf<Spec extends Pick<Ports, 'outputs'>> = z.output<Spec['outputs']>;

/** What a process may return as its outputs: as with inputs, plain values, stored data or local files. */
export type GivenOutputsOf<Spec extends Pick<Ports, 'outputs'>> = GivenOf<Spec['outputs']>;

/** The inputs of a process as the pieces of data that they are, nested as the values are. */
export type InputDataOf<Spec extends Pick<Ports, 'inputs'>> = DataOf<Spec['inputs']>;

/** The outputs of a process as the pieces of data that they are. */
export type OutputDataOf<Spec extends Pick<Ports, 'outputs'>> = DataOf<Spec['outputs']>;

export /** Of a schema that nobody knows anything of, anything may be given. */
type GivenOf<Schema> =
  Schema extends z.ZodObject<infer Shape, infer Config>
    ? string extends keyof Shape
      ? Readonly<Record<string, unknown>>
      : GivenShape<Shape, Config>
    : never;

type GivenShape<Shape extends z.core.$ZodLooseShape, Config> = Simplify<
  { readonly [Name in keyof Shape as IsOptional<Shape[Name]> extends true ? never : Name]: GivenPort<Shape[Name]> } & {
    readonly [Name in keyof Shape as IsOptional<Shape[Name]> extends true ? Name : never]?:
      | GivenPort<Shape[Name]>
      | undefined;
  }
> &
  Entries<Shape, Config>;

/** A namespace, or one piece of data. Files say themselves what may be given for them. */
type GivenPort<Schema> = [NamespaceIn<Schema>] extends [never]
  ? IsAny<z.output<Schema>> extends true
    ? unknown
    : [z.output<Schema>] extends [Data | undefined]
      ? z.input<Schema>
      : z.input<Schema> | Data<Exclude<z.output<Schema>, undefined>>
  : GivenOf<NamespaceIn<Schema>>;

/** May a port be left out? A namespace may be when everything in it may. */
type IsOptional<Schema> =
  undefined extends z.input<Schema>
    ? IsAny<z.input<Schema>> extends true
      ? false
      : unknown extends z.input<Schema>
        ? false
        : true
    : [NamespaceIn<Schema>] extends [never]
      ? false
      : Record<never, never> extends GivenOf<NamespaceIn<Schema>>
        ? true
        : false;

/** What can be said of entries without a name: their type where nothing else is in the namespace. */
type Entries<Shape, Config> =
  IsOpen<Config> extends true
    ? [keyof Shape] extends [never]
      ? { readonly [name: string]: Config extends z.core.$catchall<infer Leaf> ? GivenPort<Leaf> : unknown }
      : { readonly [name: string]: unknown }
    : unknown;

/** An object type without entries is assignable to one with any, so only the keys tell. */
type IsOpen<Config> = Config extends { readonly in: infer In } ? (string extends keyof In ? true : false) : false;

type NamespaceIn<Schema> =
  Schema extends ZodNamespace<infer Shape, infer Config>
    ? ZodNamespace<Shape, Config>
    : Schema extends
          | z.ZodOptional<infer Inner>
          | z.ZodDefault<infer Inner>
          | z.ZodPrefault<infer Inner>
          | z.ZodNonOptional<infer Inner>
          | z.ZodReadonly<infer Inner>
      ? NamespaceIn<Inner>
      : never;

type DataOf<Schema> =
  Schema extends z.ZodObject<infer Shape> ? { readonly [Name in keyof Shape]: DataOfPort<Shape[Name]> } : never;

type DataOfPort<Schema> = [NamespaceIn<Schema>] extends [never]
  ? [z.output<Schema>] extends [Data | undefined]
    ? z.output<Schema>
    : Data<Exclude<z.output<Schema>, undefined>> | (undefined extends z.output<Schema> ? undefined : never)
  : DataOf<NamespaceIn<Schema>> | (undefined extends z.output<Schema> ? undefined : never);

type IsAny<Type> = 0 extends 1 & Type ? true : false;

type Simplify<Type> = { [Name in keyof Type]: Type[Name] };
