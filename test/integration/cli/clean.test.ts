import { existsSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';

let cli: CommandLine;
beforeAll(async () => {
  cli = await startCommandLine();
});
afterAll(() => cli[Symbol.asyncDispose]());

it('removes the directory of an ended calcjob, when that is what somebody wants, and says so ever after', async () => {
  await cli.succeed(['run', '--computer', 'localhost', '--', 'true']);
  await cli.succeed(['submit', '--computer', 'localhost', '--', 'true']);
  const planned = await cli.succeed(['clean', '--all', '--dry-run']);
  const [, directory = ''] = /^process 1: would remove localhost:(\/\S+)\n$/.exec(planned) ?? [];
  const refusals: Record<string, readonly string[]> = {
    'process 2 has not ended': ['clean', '1', '2', '--force'],
    'nobody can be asked': ['clean', '1'],
  };
  for (const [words, command] of Object.entries(refusals)) {
    expect(await cli.run(command)).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(words), text: '' });
  }
  expect(existsSync(directory)).toBe(true);
  expect(JSON.parse(await cli.succeed(['clean', '1', '--json', '--force']))).toMatchObject([
    { id: 1, outcome: 'cleaned', directory, cleanedAt: expect.any(String) },
  ]);
  expect(existsSync(directory)).toBe(false);
  expect(await cli.run(['files', 'ls', '1', '--remote'])).toMatchObject({
    ...{ exitCode: 1, stderr: expect.stringContaining('the work directory of process 1 was removed at') },
  });
});
