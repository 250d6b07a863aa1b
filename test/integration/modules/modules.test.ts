import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { execute } from '../../rigs/command.js';

const built = (file: string) => JSON.stringify(new URL(`../../../dist/src/${file}`, import.meta.url).href);

/** A module that defines a process with this name. */
const defining = (name: string, more = '') =>
  `import { defineWorkflow, z } from 'wherry';\nconst nothing = z.object({});\n` +
  `export const one = defineWorkflow({ name: '${name}', inputs: nothing, outputs: nothing, run: async () => ({}) });\n${more}`;

/** What stands in the folder of the user. */
const files: Readonly<Record<string, string>> = {
  'node_modules/wherry/package.json': '{ "name": "wherry", "type": "module", "exports": "./index.js" }',
  'node_modules/wherry/index.js': 'export class WherryError extends Error {}',
  'node_modules/@me/processes/package.json': '{ "name": "@me/processes", "exports": { "import": "./index.mjs" } }',
  'node_modules/@me/processes/index.mjs': defining('package.one', `export { WherryError } from 'wherry';\n`),
  'node_modules/typed/package.json': '{ "name": "typed", "type": "module", "exports": "./index.ts" }',
  'node_modules/typed/index.ts': 'export const x: number = 1;\n',
  'typed.ts': `
    import { type ProcessDetails, WherryError } from 'wherry';
    import { quote } from 'wherry/plugin';
    import { SimulatedCluster } from 'wherry/testing';
    import { twice } from './with space.js';
    ${defining('typed.one')}
    interface Wanted { readonly number: number }
    const wanted = { number: twice(2) } satisfies Wanted as Wanted;
    export const shown = (details: ProcessDetails): string => details.uuid;
    export { WherryError };
    export const found = [typeof quote, typeof SimulatedCluster, wanted!.number];
  `,
  'with space.ts': 'export function twice<Value extends number>(value: Value): number { return value * 2; }\n',
  'common.cjs': `
    const { WherryError } = require('wherry');
    module.exports = { WherryError, path: require('node:path').sep };
  `,
  'plain.js': defining('plain.one'),
  'plain-again.js': `export { one } from './plain.js';\n`,
  'slow.mjs': defining(
    'slow.one',
    `await globalThis.slow;\ndefineWorkflow({ name: 'slow.two', inputs: nothing, outputs: nothing, run: async () => ({}) });\n`,
  ),
  'half.mjs': defining('half.one', `throw new RangeError('no more');\n`),
  'same-name.mjs': defining('plain.one'),
  'throws.ts': `type Reason = {\n  text: string;\n};\n\nfunction fail(reason: Reason): never { throw new Error(reason.text); }\nfail({ text: 'no luck' });\n`,
  'enum.ts': `\nexport enum Colour { red }\n`,
  'namespace.ts': 'namespace Inner { export const x = 1; }\n',
  'property.ts': 'export class Point {\n  constructor(readonly x: number) {}\n}\n',
  'no-typescript.ts': 'export const x: number = ;\n',
  'no-javascript.mjs': 'export const x = 1;\nlet y = ;\n',
  'missing-file.cjs': `require('./nothing');\n`,
  'missing-package.mjs': `import 'absent-package';\n`,
  'missing-export.mjs': `\nimport { nothing } from 'wherry';\n`,
  'throws-text.mjs': `throw 'just text';\n`,
  'never.mjs': 'await new Promise(() => {});\n',
  'uses-typed-package.mjs': `import 'typed';\n`,
  'script.ts': `import { one } from './typed.ts';\nexport const name: string = one.name;\n`,
  'bad-script.ts': `import { WherryError } from 'wherry';\nthrow new WherryError('not-found', 'nothing there');\n`,
};

const broken = [
  'half.mjs',
  'same-name.mjs',
  'throws.ts',
  'enum.ts',
  'namespace.ts',
  'property.ts',
  'no-typescript.ts',
  'no-javascript.mjs',
  'missing-file.cjs',
  'missing-package.mjs',
  'missing-export.mjs',
  'throws-text.mjs',
  'uses-typed-package.mjs',
  'not-there.ts',
  'data.json',
];

/** One program does everything, because to start one takes its time. */
const program = (folder: string) => `
import path from 'node:path';
import { importScript, loadModules } from ${built('process/modules.js')};
import { defineWorkflow, WherryError, z } from ${built('index.js')};
const told = (error) => ({ code: error.code, message: error.message, hint: error.hint });
const folder = ${JSON.stringify(folder)};
// A script that loads a module before the profile does.
await importScript(path.join(folder, 'plain.js'));
const good = ['./typed.ts', './common.cjs', './plain-again.js', '@me/processes'];
const modules = await loadModules([...good, ...${JSON.stringify(broken.map((name) => `./${name}`))}, 'absent'], folder);
// Something else is defined while a module is being loaded.
let ready;
globalThis.slow = new Promise((resolve) => { ready = resolve; });
const loading = loadModules(['./slow.mjs'], folder);
defineWorkflow({ name: 'meanwhile', inputs: z.object({}), outputs: z.object({}), run: async () => ({}) });
ready();
const slow = await loading;
const late = await loadModules(['./never.mjs'], folder, { timeout: 50 });
const typed = await import(path.join(folder, 'typed.ts'));
const packaged = await import(path.join(folder, 'node_modules/@me/processes/index.mjs'));
const common = await import(path.join(folder, 'common.cjs'));
const script = await importScript(path.join(folder, 'script.ts'));
const failures = {};
for (const name of ['throws.ts', 'bad-script.ts', 'not-there.ts', 'data.json']) {
  failures[name] = await importScript(path.join(folder, name)).then(() => 'it did not fail', told);
}
console.log(JSON.stringify({
  modules: Object.fromEntries(['typed.one', 'package.one', 'plain.one', 'half.one'].map((name) => [name, modules.moduleOf(name)])),
  failures: Object.fromEntries(modules.failures.map(({ module, error }) => [module, told(error)])),
  asked: [modules.failureOf('./throws.ts')?.code, modules.failureOf('./typed.ts') ?? null],
  slow: ['slow.one', 'slow.two', 'meanwhile'].map((name) => slow.moduleOf(name) ?? null),
  late: late.failures.map(({ error }) => told(error)),
  copies: [typed, packaged, common].map((imported) => imported.WherryError === WherryError),
  found: typed.found,
  script: script.name,
  scripts: failures,
}));
`;

interface Told {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}
interface Result {
  readonly modules: Readonly<Record<string, string | undefined>>;
  readonly failures: Readonly<Record<string, Told>>;
  readonly asked: readonly unknown[];
  readonly slow: readonly unknown[];
  readonly late: readonly Told[];
  readonly copies: readonly boolean[];
  readonly found: readonly unknown[];
  readonly script: string;
  readonly scripts: Readonly<Record<string, Told>>;
}

let folder: string;
let result: Result;
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'wherry-modules-'));
  for (const [name, text] of Object.entries({ ...files, 'run.mjs': program(folder), 'data.json': '{}' })) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  const { stdout, stderr } = await execute([process.execPath, path.join(folder, 'run.mjs')], { timeout: 60_000 });
  expect(stderr).toBe('');
  result = JSON.parse(stdout) as Result;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('modules of users', () => {
  it('are told apart by what they define, whoever loaded them first', () => {
    expect(result.modules).toEqual({
      'typed.one': './typed.ts',
      'package.one': '@me/processes',
      'plain.one': './plain-again.js',
      'half.one': './half.mjs',
    });
  });

  it('have what is defined because of them, and not what is defined meanwhile', () => {
    expect(result.slow).toEqual(['./slow.mjs', './slow.mjs', null]);
  });

  it('get this very Wherry by any way of importing it, also where another one is nearer', () => {
    expect(result.copies).toEqual([true, true, true]);
    expect(result.found).toEqual(['function', 'function', 4]);
  });

  it('fail each for itself, and nothing else does', () => {
    expect(Object.keys(result.failures).sort()).toEqual([...broken.map((name) => `./${name}`), 'absent'].sort());
    expect(result.asked).toEqual(['module-failed', null]);
    for (const { code, hint } of Object.values(result.failures)) {
      expect([code, hint]).toEqual(['module-failed', expect.stringContaining('wherry daemon reload')]);
    }
  });

  const expected: Readonly<Record<string, (folder: string) => string>> = {
    './throws.ts': (at) => `no luck (at ${at}/throws.ts:5:46)`,
    './half.mjs': (at) => `no more (at ${at}/half.mjs:4:7)`,
    './same-name.mjs': (at) => `there are two processes with the name plain.one (at ${at}/same-name.mjs:3:20)`,
    './enum.ts': (at) =>
      `TypeScript enum: types are taken out and nothing is compiled, so this cannot be used (at ${at}/enum.ts:2:8)`,
    './namespace.ts': (at) => `(at ${at}/namespace.ts:1:1)`,
    './property.ts': (at) => `(at ${at}/property.ts:2:24)`,
    './no-typescript.ts': (at) => `Expression expected (at ${at}/no-typescript.ts:1:26)`,
    './no-javascript.mjs': (at) => `Unexpected token ';' (at ${at}/no-javascript.mjs:2)`,
    './missing-file.cjs': (at) => `Cannot find module './nothing' (at ${at}/missing-file.cjs:1:1)`,
    './missing-package.mjs': (at) => `Cannot find package 'absent-package' imported from ${at}/missing-package.mjs`,
    './missing-export.mjs': (at) => `does not provide an export named 'nothing' (at ${at}/missing-export.mjs:2)`,
    './throws-text.mjs': () => 'the module ./throws-text.mjs could not be loaded: just text',
    './uses-typed-package.mjs': (at) => `${at}/node_modules/typed/index.ts is TypeScript, but packages must be`,
    './not-there.ts': (at) => `there is no file ${at}/not-there.ts`,
    './data.json': () => 'its name must end with one of .js .mjs .cjs .ts .mts',
    absent: (at) => `Cannot find package 'absent' imported from ${at}/`,
  };
  for (const [name, message] of Object.entries(expected)) {
    it(`say what is wrong and where: ${name}`, () => {
      expect(result.failures[name]?.message).toContain(message(folder));
    });
  }

  it('have their time', () => {
    expect(result.late[0]?.message).toContain('it was not ready after 0.05 s');
  });
});

describe('a script', () => {
  it('is imported like a module, and shares the modules of the profile', () => {
    expect(result.script).toBe('typed.one');
  });

  it('fails with its own words, or with the error of Wherry that it met', () => {
    expect(result.scripts['throws.ts']).toMatchObject({
      code: 'module-failed',
      message: `the script ${folder}/throws.ts failed: no luck (at ${folder}/throws.ts:5:46)`,
    });
    expect(result.scripts['bad-script.ts']).toMatchObject({ code: 'not-found', message: 'nothing there' });
    expect(result.scripts['not-there.ts']).toMatchObject({ code: 'bad-input' });
    expect(result.scripts['data.json']).toMatchObject({ code: 'bad-input' });
  });
});
