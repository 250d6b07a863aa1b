import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listPlugins, loadScheduler, loadTransport } from '../../../src/config/plugins.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wherry-plugins-'));
  await writeFile(join(folder, 'broken.mjs'), 'throw new Error("kaput")');
  await writeFile(join(folder, 'half.mjs'), 'export default { name: "half", open() {}, gotoCommand() {} }');
  await writeFile(join(folder, 'none.mjs'), 'export const name = "none"');
  await writeFile(join(folder, 'incomplete.mjs'), 'import "./not-there.mjs"');
  await mkdir(join(folder, 'good'));
  const schema = '{ safeParse: (data) => ({ success: true, data }) }';
  await writeFile(join(folder, 'good', 'package.json'), '{ "type": "module" }');
  await writeFile(
    join(folder, 'good', 'index.js'),
    `export default { name: 'good', connection: ${schema}, defaults: {}, gotoCommand() {}, open() {} }`,
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('built-in plugins', () => {
  it.each(listPlugins())('$kind $name keeps the contract and its name', async ({ kind, name }) => {
    const plugin = await (kind === 'scheduler' ? loadScheduler(name) : loadTransport(name));
    expect(plugin.name).toBe(name);
  });

  it('are loaded once', async () => {
    expect(await loadScheduler('direct')).toBe(await loadScheduler('direct'));
  });
});

describe('other plugins', () => {
  it('come from the absolute path of a folder or module', async () => {
    expect((await loadTransport(join(folder, 'good'))).name).toBe('good');
    expect((await loadTransport(join(folder, 'good', 'index.js'))).name).toBe('good');
  });

  it.each([
    'slrum',
    'not-installed-scheduler',
    './relative',
    'node:fs',
    'toString',
    '__proto__',
    '',
    'a\0b',
    '/nowhere.js',
  ])('that are missing: %j', async (name) => {
    await expect(loadScheduler(name)).rejects.toMatchObject({
      code: 'plugin-missing',
      hint: expect.stringContaining('direct, slurm, pbspro'),
    });
  });

  it('that are nearly right', async () => {
    await expect(loadScheduler('slrum')).rejects.toThrow('there is no scheduler "slrum" (did you mean "slurm"?)');
    await expect(loadTransport('shs')).rejects.toThrow('(did you mean "ssh"?)');
  });

  it.each([
    ['broken.mjs', 'could not be loaded: kaput'],
    ['incomplete.mjs', 'could not be loaded: '],
    ['none.mjs', 'breaks the contract: its default export is no plugin'],
    ['half.mjs', 'breaks the contract: connection must be a schema, defaults must be an object'],
  ])('that are broken: %s', async (name, message) => {
    await expect(loadTransport(join(folder, name))).rejects.toMatchObject({
      code: 'plugin-broken',
      message: expect.stringContaining(message),
    });
  });

  it('of the wrong kind', async () => {
    await expect(loadScheduler(join(folder, 'good'))).rejects.toMatchObject({ code: 'plugin-broken' });
  });
});
