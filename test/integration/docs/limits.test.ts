import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';
import { wordsOf } from './words.js';

describe('the page on limits', () => {
  let shell: CommandLine;
  let blocks: string[];
  beforeAll(async () => {
    const text = await readFile('docs/limits.md', 'utf8');
    blocks = [...text.matchAll(/^```\w+\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
    shell = await startCommandLine();
    await shell.write('daint.yaml', blocks[0] ?? '');
    await shell.write('job.yaml', blocks[1] ?? '');
    await shell.succeed(['computer', 'add', '--file', 'daint.yaml']);
  });
  afterAll(() => shell?.[Symbol.asyncDispose]());

  const state = async () => {
    const views = JSON.parse(await shell.succeed(['computer', 'list', '--json'])) as {
      label: string;
      hold: { code: string } | null;
      drainingSince: string | null;
      config: { limits: object };
    }[];
    return views.find(({ label }) => label === 'daint');
  };

  it('has a computer file and a job file that are accepted', async () => {
    expect((await state())?.config.limits).toMatchObject({ maxQueued: 100, pools: { licence: 8 } });
    expect((await shell.succeed(['submit', 'job.yaml'])).trim()).toBe('1');
    await shell.write('greedy.yaml', (blocks[1] ?? '').replace('licence: 2', 'licence: 9'));
    const greedy = await shell.run(['submit', 'greedy.yaml']);
    expect(greedy).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('only 8') });
    await shell.write('lost.yaml', (blocks[1] ?? '').replace('licence: 2', 'licenses: 1'));
    const lost = await shell.run(['submit', 'lost.yaml']);
    expect(lost).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('is no pool of daint, which has: licence'),
    });
    expect(await shell.count()).toMatchObject({ processes: 1 });
  });

  it('has commands that do what it says', async () => {
    const [drain = '', disable = '', enable = '', edit = ''] = (blocks[2] ?? '').trim().split('\n');
    const explained = async () => JSON.parse(await shell.succeed(['explain', '1', '--json'])) as { waitingFor: string };
    await shell.succeed(wordsOf(drain));
    expect((await state())?.drainingSince).not.toBeNull();
    expect((await explained()).waitingFor).toContain('being drained');
    expect(await shell.succeed(['status'])).toContain('wherry computer enable daint');
    await shell.succeed(wordsOf(disable));
    expect((await state())?.hold?.code).toBe('disabled');
    expect((await explained()).waitingFor).toContain('disabled');
    // Nothing is sent: a pass comes back at once from a computer that does not exist.
    await shell.succeed(['tick']);
    await shell.succeed(wordsOf(enable));
    expect(await state()).toMatchObject({ hold: null, drainingSince: null });
    await shell.succeed(wordsOf(edit));
    expect((await state())?.config.limits).toMatchObject({ maxQueued: 20, pools: { licence: 4 } });
  });
});
