import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';

let wherry: CommandLine;
beforeAll(async () => {
  wherry = await startCommandLine();
});
afterAll(() => wherry[Symbol.asyncDispose]());

it('codes: added, tested, shown, exported, used by jobs that outlive them, removed', async () => {
  await wherry.write('count/count.sh', '#!/bin/sh\nwc -l < "$1"\n');
  await wherry.write('numbers.txt', '1\n2\n3\n');
  expect(await wherry.succeed(['code', 'add', 'sh@localhost', '--executable', '/bin/sh', '--mpi=false'])).toBe(
    'sh@localhost\n',
  );
  await wherry.succeed([
    'code',
    'add',
    'count',
    '--folder',
    './count',
    '--executable',
    'count.sh',
    '--prepend',
    'set -u',
  ]);

  const list = JSON.parse(await wherry.succeed(['code', 'list', '--json'])) as { name: string; kind: string }[];
  expect(list.map(({ name, kind }) => [name, kind])).toEqual([
    ['count', 'portable'],
    ['sh@localhost', 'installed'],
  ]);
  expect(await wherry.succeed(['code', 'show', 'count'])).toMatch(/^# sends count\.sh \(23 bytes\)$/m);
  expect(await wherry.succeed(['code', 'test', 'sh'])).toMatch(/^ok +executable +\/bin\/sh/);

  const job = {
    computer: 'localhost',
    codes: [
      { code: 'count', arguments: ['numbers.txt'], stdout: 'count.txt' },
      { code: 'sh', arguments: ['-c', 'cat count.txt; exit 3'] },
    ],
    files: { 'numbers.txt': './numbers.txt' },
    retrieve: ['count.txt'],
  };
  await wherry.write('job.json', JSON.stringify(job));
  expect(await wherry.succeed(['submit', 'job.json'])).toBe('1\n');
  await wherry.succeed(['submit', '--code', 'sh', '--', '-c', 'echo "$0"', 'it works']);

  const exported = await wherry.succeed(['code', 'export', 'count', '--folder', './exported']);
  await wherry.write('count.yaml', exported);
  await wherry.succeed(['code', 'remove', 'count', 'sh@localhost']);
  await wherry.succeed(['code', 'add', 'again', '--file', 'count.yaml']);
  expect(await readFile(path.join(wherry.folder, 'exported/count.sh'), 'utf8')).toContain('wc -l');

  const ended = await wherry.tickUntilEnded(1, 2);
  expect(ended.map(({ exitStatus }) => exitStatus)).toEqual([3, 0]);
  expect(await wherry.succeed(['files', 'cat', '1', 'stdout.txt'])).toBe('3\n');
  expect(await wherry.succeed(['files', 'cat', '1', 'count.txt'])).toBe('3\n');
  expect(await wherry.succeed(['files', 'cat', '2', 'stdout.txt'])).toBe('it works\n');
  expect(await wherry.succeed(['show', '2'])).toMatch(/^command: +\/bin\/sh -c 'echo "\$0"' 'it works'$/m);

  const dry = await wherry.run(['submit', '--dry-run', '--computer', 'localhost', '--', 'echo', 'a b']);
  expect(dry).toMatchObject({ exitCode: 0 });
  expect(dry.text).toContain("\necho 'a b' > ./stdout.txt");
  expect(dry.stderr).toMatch(/submit_test\/\d{8}-1; nothing was stored or sent/);
  expect(await wherry.count()).toMatchObject({ processes: 2 });
});
