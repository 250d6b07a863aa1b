import { expectTypeOf, it } from 'vitest';
import { z } from 'zod';
import type { Data, FileContent, FileData, LocalFile } from '../../../../src/process/data.js';
import type { ProcessDefinition } from '../../../../src/process/definition.js';
import { exposedInputs, exposeInputs } from '../../../../src/process/expose.js';
import type { GivenOutputsOf, InputDataOf, InputsOf, OutputsOf, SeenInputsOf } from '../../../../src/process/inputs.js';
import { file, namespace } from '../../../../src/process/namespace.js';

const spec = {
  inputs: z.object({
    n: z.number(),
    list: z.array(z.string()).default([]),
    note: z.string().optional(),
    structure: file(),
    sub: namespace({ x: z.number(), deep: namespace({ y: z.boolean() }) }),
    maybe: namespace({ z: z.number() }, { optional: true }),
    defaulted: namespace({ d: z.number().default(1) }).refine(({ d }) => d > 0),
    pseudos: namespace({}, { dynamic: file() }),
    anything: z.any(),
  }),
  outputs: z.object({ sum: z.number(), log: file().optional() }),
};

type Given = InputsOf<typeof spec>;
type Seen = SeenInputsOf<typeof spec>;

it('a caller gives values, data of such values, and local files', () => {
  expectTypeOf<Given['n']>().toEqualTypeOf<number | Data<number>>();
  expectTypeOf<Given['list']>().toEqualTypeOf<string[] | Data<string[]> | undefined>();
  expectTypeOf<Given['structure']>().toEqualTypeOf<FileData | LocalFile | FileContent>();
  expectTypeOf<Given['sub']['deep']['y']>().toEqualTypeOf<boolean | Data<boolean>>();
  expectTypeOf<NonNullable<Given['maybe']>['z']>().toEqualTypeOf<number | Data<number>>();
  expectTypeOf<Given['pseudos']>().toExtend<
    { readonly [name: string]: FileData | LocalFile | FileContent } | undefined
  >();
  expectTypeOf<Given['anything']>().toEqualTypeOf<unknown>();
});

it('a caller may leave out what is optional or has a default, and namespaces of such', () => {
  type Required = {
    [Name in keyof Given]-?: Record<never, never> extends Pick<Given, Name> ? never : Name;
  }[keyof Given];
  expectTypeOf<Required>().toEqualTypeOf<'n' | 'structure' | 'sub' | 'anything'>();
});

it('a process sees plain values and files', () => {
  expectTypeOf<Seen['n']>().toEqualTypeOf<number>();
  expectTypeOf<Seen['list']>().toEqualTypeOf<string[]>();
  expectTypeOf<Seen['note']>().toEqualTypeOf<string | undefined>();
  expectTypeOf<Seen['structure']>().toEqualTypeOf<FileData>();
  expectTypeOf<Seen['sub']['deep']['y']>().toEqualTypeOf<boolean>();
  expectTypeOf<Seen['maybe']>().toEqualTypeOf<{ z: number } | undefined>();
  expectTypeOf<Seen['pseudos'][string]>().toEqualTypeOf<FileData>();
});

it('what a process sees may be given to another that asks for the same', () => {
  expectTypeOf<Seen>().toExtend<Given>();
});

it('outputs are returned as inputs are given', () => {
  expectTypeOf<OutputsOf<typeof spec>>().toEqualTypeOf<{ sum: number; log?: FileData | undefined }>();
  expectTypeOf<{ sum: Data<number>; log: LocalFile }>().toExtend<GivenOutputsOf<typeof spec>>();
  expectTypeOf<{ log: LocalFile }>().not.toExtend<GivenOutputsOf<typeof spec>>();
  expectTypeOf<{ sum: string }>().not.toExtend<GivenOutputsOf<typeof spec>>();
});

it('data is nested as the values are', () => {
  type Pieces = InputDataOf<typeof spec>;
  expectTypeOf<Pieces['n']>().toEqualTypeOf<Data<number>>();
  expectTypeOf<Pieces['structure']>().toEqualTypeOf<FileData>();
  expectTypeOf<Pieces['sub']['deep']['y']>().toExtend<Data<boolean>>();
});

it('of a process that is not known more closely anything may be given', () => {
  expectTypeOf<{ n: number; any: Data }>().toExtend<InputsOf<ProcessDefinition>>();
  expectTypeOf<typeof spec>().toExtend<Pick<ProcessDefinition, 'inputs' | 'outputs'>>();
});

it('what is exposed has the types of the child', () => {
  const options = { namespace: 'a.child', exclude: ['n', 'sub.deep', 'structure', 'anything'] } as const;
  const parent = { inputs: z.object({ ...exposeInputs(spec, options) }) };
  type Exposed = InputsOf<typeof parent>['a']['child'];
  expectTypeOf<Exposed['sub']['x']>().toEqualTypeOf<number | Data<number>>();
  expectTypeOf<'n' extends keyof Exposed ? true : false>().toEqualTypeOf<false>();
  expectTypeOf<'deep' extends keyof Exposed['sub'] ? true : false>().toEqualTypeOf<false>();
  const _part = () => exposedInputs(spec, {}, options);
  expectTypeOf<'n' extends keyof ReturnType<typeof _part> ? true : false>().toEqualTypeOf<false>();
  expectTypeOf<ReturnType<typeof _part>['note']>().toExtend<string | Data<string> | undefined>();
});
