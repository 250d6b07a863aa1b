import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, it } from 'vitest';
import { startCommandLine } from '../../rigs/command-line.js';

const workflow = (name: string) => `export const one = defineWorkflow({
  name: '${name}',
  inputs: z.object({ x: z.number() }),
  outputs: z.object({ y: z.number() }),
  run: async (_context, { x }): Promise<{ y: number }> => ({ y: 2 * x }),
});
`;

it('a module that fails excepts its own processes, saying why, and nobody else’s', async () => {
  await using wherry = await startCommandLine();
  const directory = path.join(wherry.home, 'profiles/default');
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(path.join(directory, 'profile.yaml'), 'modules: [./breaks.ts, ./works.ts]\n');
  const header = `import { defineWorkflow, z } from 'wherry';\n`;
  await writeFile(path.join(directory, 'works.ts'), `${header}${workflow('works')}`);
  const breaks = path.join(directory, 'breaks.ts');
  await writeFile(breaks, `${header}${workflow('breaks')}`);
  const script = await wherry.write(
    'script.ts',
    `import { submit } from 'wherry';
     import { one as works } from ${JSON.stringify(path.join(directory, 'works.ts'))};
     import { one as breaks } from ${JSON.stringify(breaks)};
     await submit(breaks, { x: 1 });
     await submit(works, { x: 2 });\n`,
  );
  await wherry.succeed(['run', script]);
  await writeFile(breaks, `${header}if (z) throw new Error('broken today');\n${workflow('breaks')}`);
  await wherry.run(['tick']);
  expect(await wherry.list()).toMatchObject([
    {
      name: 'breaks',
      state: 'excepted',
      exitMessage: `the module ./breaks.ts could not be loaded: broken today (at ${breaks}:2:14)`,
    },
    { name: 'works', state: 'finished', exitStatus: 0 },
  ]);
});
