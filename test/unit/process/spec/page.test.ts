import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ProcessDefinition } from '../../../../src/process/definition.js';
import { anyData, file, folder, namespace, remoteFolder } from '../../../../src/process/namespace.js';
import { portLines, specPage } from '../../../../src/process/spec-page.js';
import { specSchema } from '../../../../src/process/spec-schema.js';

type Tree = { readonly left?: Tree | undefined };
const tree: z.ZodType<Tree> = z.object({ left: z.lazy(() => tree).optional() });

const definition: ProcessDefinition = {
  kind: 'workflow',
  name: 'test.page',
  version: 3,
  description: 'Relaxes a structure.\n\nUntil <b>forces</b> are small.',
  inputs: z.object({
    structure: file().describe('where the atoms | are'),
    steps: z.int().min(1).max(9).default(5).describe('at most *so* many\nsteps'),
    mode: z.enum(['fast', 'good`']),
    now: z.string().default(() => String(count++)),
    failing: z.number().default(() => {
      throw new Error('not now');
    }),
    base: namespace(
      { kpoints: z.tuple([z.number(), z.number()]), clean: z.boolean().default(false) },
      { help: 'of each step' },
    ),
    pseudos: namespace({}, { dynamic: folder(), optional: true }),
    parent: remoteFolder().optional(),
    any: anyData().optional(),
    tree: tree.optional(),
  }),
  outputs: z.object({
    energy: z.number().nullable(),
    list: z.array(z.object({ a: z.string(), b: z.number().optional() })),
  }),
  exitCodes: { LATE: { status: 401, message: 'no end after {n} | steps' }, EARLY: { status: 400, message: 'x' } },
};
let count = 0;

describe('the lines of a page', () => {
  it('tell name, type, default and meaning of every port', () => {
    const lines = portLines(definition, 'inputs').map(({ label, type, required, default: preset }) => [
      label,
      type,
      required,
      preset,
    ]);
    expect(lines).toEqual([
      ['structure', 'file', true, ''],
      ['steps', 'whole number ≥ 1, ≤ 9', false, '5'],
      ['mode', '"fast" or "good`"', true, ''],
      ['now', 'text', false, 'computed'],
      ['failing', 'number', false, 'computed'],
      ['base', 'namespace', true, ''],
      ['base.kpoints', '[number, number]', true, ''],
      ['base.clean', 'true or false', false, 'false'],
      ['pseudos', 'namespace', false, ''],
      ['pseudos.*', 'folder', false, ''],
      ['parent', 'folder on a computer', false, ''],
      ['any', 'data of any kind', false, ''],
      ['tree', '{left?: …}', false, ''],
    ]);
  });

  it.each<[z.ZodType, string]>([
    [z.number().positive(), 'number > 0'],
    [z.number().lt(1), 'number < 1'],
    [z.int(), 'whole number'],
    [z.email(), 'text (email)'],
    [z.string().regex(/^a+$/), 'text like /^a+$/'],
    [z.string().min(2).max(3), 'text of ≥ 2, ≤ 3 characters'],
    [z.literal([1, 'a', null]), '1 or "a" or null'],
    [z.literal('x'), '"x"'],
    [z.union([z.number(), z.array(z.string())]), 'number or list of text'],
    [z.number().nullable(), 'number or null'],
    [z.record(z.string(), z.number()), 'mapping of number'],
    [z.looseObject({}), 'mapping'],
    [z.any(), 'any value'],
    [z.object({ a: z.number() }).and(z.object({ b: z.number() })), expect.stringContaining('a: number') as never],
    [z.string().transform((text) => text.length), 'text'],
    [z.instanceof(Date), 'any value'],
    [z.enum(Array.from({ length: 99 }, (_, index) => `choice ${index}`)), expect.stringMatching(/^.{119}…$/) as never],
  ])('tell the type %#', (schema, type) => {
    expect(portLines({ ...definition, inputs: z.object({ x: schema }) }, 'inputs')[0]?.type).toEqual(type);
  });
});

describe('a page of Markdown', () => {
  it('has what the process takes and gives, and how it can end', () => {
    expect(specPage(definition)).toBe(String.raw`# test.page

A workflow, version 3.

Relaxes a structure.

Until &lt;b>forces&lt;/b> are small.

## Inputs

| Name | Type | Required | Default | Meaning |
| --- | --- | --- | --- | --- |
| ${'`structure`'} | ${'`file`'} | yes |  | where the atoms \| are |
| ${'`steps`'} | ${'`whole number ≥ 1, ≤ 9`'} | no | ${'`5`'} | at most \*so\* many steps |
| ${'`mode`'} | ${'`` "fast" or "good`" ``'} | yes |  |  |
| ${'`now`'} | ${'`text`'} | no | computed |  |
| ${'`failing`'} | ${'`number`'} | no | computed |  |
| ${'`base`'} | ${'`namespace`'} | yes |  | of each step |
| ${'`base.kpoints`'} | ${'`[number, number]`'} | yes |  |  |
| ${'`base.clean`'} | ${'`true or false`'} | no | ${'`false`'} |  |
| ${'`pseudos`'} | ${'`namespace`'} | no |  |  |
| ${'`pseudos.*`'} | ${'`folder`'} | no |  |  |
| ${'`parent`'} | ${'`folder on a computer`'} | no |  |  |
| ${'`any`'} | ${'`data of any kind`'} | no |  |  |
| ${'`tree`'} | ${'`{left?: …}`'} | no |  |  |

## Outputs

| Name | Type | Required | Meaning |
| --- | --- | --- | --- |
| ${'`energy`'} | ${'`number or null`'} | yes |  |
| ${'`list`'} | ${'`list of {a: text, b?: number}`'} | yes |  |

## Exit codes

| Status | Label | Meaning |
| --- | --- | --- |
| 400 | ${'`EARLY`'} | x |
| 401 | ${'`LATE`'} | no end after {n} \| steps |
`);
  });

  it('says where there is nothing', () => {
    const { exitCodes: _codes, description: _description, ...rest } = definition;
    const page = specPage({ ...rest, inputs: z.object({}), outputs: z.object({}) });
    expect(page).toMatch(/It takes none\.[\s\S]*It gives none\.[\s\S]*It has none of its own\.\n$/);
  });
});

describe('the JSON Schema of a process', () => {
  const { inputs, outputs } = specSchema(definition);

  it('nests as the ports do', () => {
    expect(inputs).toMatchObject({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      additionalProperties: false,
      required: ['structure', 'mode', 'base'],
    });
    const properties = inputs.properties as Record<string, unknown>;
    expect(properties.structure).toEqual({ 'x-data': 'file', description: 'where the atoms | are' });
    expect(properties.steps).toEqual({
      type: 'integer',
      minimum: 1,
      maximum: 9,
      default: 5,
      description: 'at most *so* many\nsteps',
    });
    expect(properties.now).toEqual({ type: 'string' });
    expect(properties.base).toMatchObject({
      type: 'object',
      required: ['kpoints'],
      additionalProperties: false,
      description: 'of each step',
      properties: { clean: { type: 'boolean', default: false } },
    });
    expect(properties.pseudos).toEqual({
      type: 'object',
      properties: {},
      additionalProperties: { 'x-data': 'folder' },
    });
    expect(properties.any).toEqual({});
    expect(outputs).toMatchObject({ required: ['energy', 'list'] });
  });

  it('has what refers to itself in a place of its own', () => {
    const { tree: schema } = inputs.properties as Record<string, Record<string, unknown>>;
    expect(schema?.$id).toBe('urn:wherry:test.page:inputs:tree');
    expect(JSON.stringify(schema)).toContain('"$ref":"#');
  });

  it('is JSON', () => {
    expect(JSON.parse(JSON.stringify(inputs))).toEqual(inputs);
  });
});
