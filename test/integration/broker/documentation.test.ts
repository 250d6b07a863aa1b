import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, it, vi } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));

it('the example of docs/broker.md tells the story that stands below it', async () => {
  const page = await readFile(join(root, 'docs/broker.md'), 'utf8');
  const example = /```ts\n(.*?)```/s.exec(page)?.[1] ?? '';
  await mkdir(join(root, '.work'), { recursive: true });
  // Its socket lies in the home, and paths of sockets are short.
  const home = await mkdtemp('/tmp/wherry-page-');
  const directory = await mkdtemp(join(root, '.work/documentation-'));
  vi.stubEnv('WHERRY_HOME', home);
  try {
    const file = join(directory, 'example.ts');
    await writeFile(file, example.replace("'wherry'", JSON.stringify(join(root, 'src/index.ts'))));
    const { story } = await import(pathToFileURL(file).href);
    const told = /^\/\/ → (.*)$/m.exec(example)?.[1] ?? '';
    expect(story).toEqual(JSON.parse(told));
  } finally {
    vi.unstubAllEnvs();
    await rm(directory, { recursive: true, force: true });
    await rm(home, { recursive: true, force: true });
  }
});
