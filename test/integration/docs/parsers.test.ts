import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';

let shell: CommandLine;
let blocks: string[];
beforeEach(async () => {
  const text = await readFile('docs/parsers.md', 'utf8');
  blocks = [...text.matchAll(/^```\w+\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
  shell = await startCommandLine();
  await shell.write('job.yaml', blocks[0] ?? '');
});
afterEach(() => shell[Symbol.asyncDispose]());

describe('the page on parsers', () => {
  it('has a parser that counts, and one that says when there is too little', async () => {
    await shell.write('count.mjs', blocks[1] ?? '');
    await shell.succeed(['submit', 'job.yaml']);
    await shell.write('short.yaml', (blocks[0] ?? '').replace('seq 7', 'seq 3'));
    await shell.succeed(['submit', 'short.yaml']);
    await shell.tickUntilEnded(1, 2);
    const [good] = [JSON.parse(await shell.succeed(['show', '1', '--json']))];
    expect(good).toMatchObject({ exitStatus: 0, outputs: { lines: 7, exitCode: 0 } });
    const short = JSON.parse(await shell.succeed(['show', '2', '--json']));
    expect(short).toMatchObject({ state: 'finished', exitStatus: 300, exitMessage: 'only 3 lines came' });
  });

  it('is right that a parser which is not there is refused before anything is stored', async () => {
    const refused = await shell.run(['submit', 'job.yaml']);
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toMatch(/job\.yaml:4:.*parser.*no such file or folder: "\.\/count\.mjs"/);
    expect(await shell.count()).toMatchObject({ processes: 0 });
    await shell.write('typed.yaml', (blocks[0] ?? '').replace('count.mjs', 'count.ts'));
    expect((await shell.run(['submit', 'typed.yaml'])).stderr).toContain('must be a JavaScript module');
  });
});
