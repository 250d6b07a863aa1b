import type { z } from 'zod';
import type { NamespaceOf, ZodNamespace } from './namespace.js';

/** Which ports of a process are exposed, and where. */
export interface Exposure {
  /** Where they are put, dots leading further down; without it they stand beside the other ports. */
  readonly namespace?: string;
  /** Only these; `a.b` is one port of the namespace `a`. */
  readonly include?: readonly string[];
  /** All but these. */
  readonly exclude?: readonly string[];
  /** What the namespace becomes, other than what it was. */
  readonly options?: object;
}

/** The entries that are put into a shape. */
export type ExposedShape<Schema extends z.ZodObject, Options> = Options extends { readonly namespace: infer Place }
  ? Placed<Place, NamespaceOf<ChosenShape<ShapeOf<Schema>, Options>, OptionsIn<Options>>>
  : ChosenShape<ShapeOf<Schema>, Options>;

/** The ports that were chosen, as a schema of their own. */
export type Chosen<Schema extends z.ZodObject, Options> = z.ZodObject<ChosenShape<ShapeOf<Schema>, Options>>;

/** A value under a dotted name. */
export type Placed<Place, Value> = Place extends `${infer First}.${infer Rest}`
  ? { readonly [Name in First]: Nested<Rest, Value> }
  : { readonly [Name in Place & string]: Value };

type Nested<Place extends string, Value> = Value extends z.core.$ZodType
  ? ZodNamespace<Placed<Place, Value>>
  : Placed<Place, Value>;

type OptionsIn<Options> = Options extends { readonly options: infer Given } ? Given : Record<never, never>;

type ShapeOf<Schema extends z.ZodObject> = Schema['shape'];

type ChosenShape<Shape extends z.core.$ZodLooseShape, Options> = Options extends {
  readonly include: readonly (infer Rules extends string)[];
}
  ? Included<Shape, Rules>
  : Options extends { readonly exclude: readonly (infer Rules extends string)[] }
    ? Excluded<Shape, Rules>
    : Shape;

type Included<Shape extends z.core.$ZodLooseShape, Rules extends string> = {
  [Name in keyof Shape & string as Name extends First<Rules> ? Name : never]: Name extends Rules
    ? Shape[Name]
    : Within<Shape[Name], 'include', Below<Rules, Name>>;
};

type Excluded<Shape extends z.core.$ZodLooseShape, Rules extends string> = {
  [Name in keyof Shape & string as Name extends Rules ? never : Name]: [Below<Rules, Name>] extends [never]
    ? Shape[Name]
    : Within<Shape[Name], 'exclude', Below<Rules, Name>>;
};

type First<Rule extends string> = Rule extends `${infer Name}.${string}` ? Name : Rule;

type Below<Rules extends string, Name extends string> = Rules extends `${Name}.${infer Rest}` ? Rest : never;

type Within<Schema, Way, Rules extends string> =
  Schema extends z.ZodOptional<infer Inner>
    ? z.ZodOptional<Extract<Within<Inner, Way, Rules>, z.core.SomeType>>
    : Schema extends ZodNamespace<infer Shape, infer Config>
      ? ZodNamespace<Way extends 'include' ? Included<Shape, Rules> : Excluded<Shape, Rules>, Config>
      : Schema;
