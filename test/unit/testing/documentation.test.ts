import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

/** Where the example's imports are in this repository. */
const places = {
  'wherry/plugin': 'src/plugin.ts',
  'wherry/testing': 'testing/index.ts',
  './index.js': 'schedulers/slurm/index.ts',
};

it('the example of docs/testing.md tells the story that stands below it', async () => {
  const text = await readFile(path.join(root, 'docs/testing.md'), 'utf8');
  let example = /```ts\n(.*?)```/s.exec(text)?.[1] ?? '';
  for (const [name, file] of Object.entries(places)) {
    example = example.replace(`'${name}'`, JSON.stringify(path.join(root, file)));
  }
  await mkdir(path.join(root, '.work'), { recursive: true });
  const directory = await mkdtemp(path.join(root, '.work/documentation-'));
  try {
    const file = path.join(directory, 'example.ts');
    await writeFile(file, example);
    const { story } = await import(pathToFileURL(file).href);
    const told = /^\/\/ → (.*)$/m.exec(example)?.[1]?.replaceAll("'", '"');
    expect(story).toEqual(JSON.parse(told ?? ''));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
