import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import type { AnyCommand } from '../../../src/cli/command.js';
import { command as list } from '../../../src/cli/commands/plugin-list.js';
import { command as show } from '../../../src/cli/commands/plugin-show.js';
import { locateProfile } from '../../../src/config/home.js';
import { openProfile } from '../../../src/engine/profile.js';
import { register } from '../../../src/process/definition.js';

let home: string;
const printed = { stdout: '', stderr: '' };

beforeAll(() => {
  register({
    kind: 'calcjob',
    name: 'shown.add',
    version: 2,
    description: 'Adds \u001b[31mtwo numbers.',
    inputs: z.object({ x: z.number().describe('the first'), y: z.number().default(1) }),
    outputs: z.object({ sum: z.number() }),
    exitCodes: { NO_RESULT: { status: 310, message: 'no result' } },
  });
  register({ kind: 'function', name: 'shown.nothing', version: 1, inputs: z.object({}), outputs: z.object({}) });
});

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'wherry-plugins-'));
  for (const stream of ['stdout', 'stderr'] as const) {
    printed[stream] = '';
    vi.spyOn(process[stream], 'write').mockImplementation((text) => {
      printed[stream] += String(text);
      return true;
    });
  }
});

afterEach(async () => {
  vi.restoreAllMocks();
  await rm(home, { recursive: true, force: true });
});

async function run(command: AnyCommand, given: object): Promise<string> {
  printed.stdout = '';
  expect(await command.run({ home, json: false, markdown: false, ...given } as never, [])).toBe(0);
  return printed.stdout;
}

describe('plugin list', () => {
  it('names schedulers, transports and processes', async () => {
    const lines = (await run(list, {})).split('\n');
    expect(lines).toContainEqual(expect.stringMatching(/^scheduler +slurm +built in$/));
    expect(lines).toContainEqual(expect.stringMatching(/^calcjob +shown\.add +built in$/));
    const json: unknown = JSON.parse(await run(list, { json: true }));
    expect(json).toContainEqual({ kind: 'transport', name: 'local', origin: 'built in' });
    expect(json).toContainEqual({ kind: 'function', name: 'shown.nothing', origin: 'built in' });
  });

  it('says which modules could not be loaded, and names the others all the same', async () => {
    await (await openProfile({ home }))[Symbol.asyncDispose]();
    await writeFile(locateProfile({ home }, {}).settingsFile, 'modules: [./missing.mjs]\n');
    expect(await run(list, {})).toContain('shown.add');
    expect(printed.stderr).toContain('the module ./missing.mjs could not be loaded: there is no file');
  });
});

describe('plugin show', () => {
  it('tells what a process takes and gives, and how it can end', async () => {
    expect(await run(show, { name: 'shown.add' })).toBe(`shown.add  calcjob, version 2
Adds \\u001b[31mtwo numbers.

Inputs
NAME  TYPE    REQUIRED  DEFAULT  MEANING
x     number  yes                the first
y     number  no        1

Outputs
NAME  TYPE    REQUIRED
sum   number  yes

Exit codes
STATUS  LABEL      MEANING
   310  NO_RESULT  no result
`);
  });

  it('says where there is nothing', async () => {
    expect(await run(show, { name: 'shown.nothing' })).toContain('Inputs: none\n\nOutputs: none\n\nExit codes: none\n');
  });

  it('tells what every calcjob gives, unless it has its own of that name', async () => {
    const page = await run(show, { name: 'stash' });
    expect(page).toContain(`Outputs
NAME          TYPE                  REQUIRED  MEANING
retrieved     folder                no        what was brought back
remoteFolder  folder on a computer  no        the directory of its job
stash         folder on a computer  no        where files of it are kept on the computer
`);
  });

  it('prints a page of Markdown', async () => {
    const page = await run(show, { name: 'shown.add', markdown: true });
    expect(page).toMatch(/^# shown\.add\n\nA calcjob, version 2\.\n/);
    expect(page).not.toContain('\u001b');
  });

  it('prints JSON Schema', async () => {
    expect(JSON.parse(await run(show, { name: 'shown.add', json: true }))).toMatchObject({
      name: 'shown.add',
      kind: 'calcjob',
      version: 2,
      inputs: { type: 'object', required: ['x'], properties: { y: { type: 'number', default: 1 } } },
      outputs: { properties: { sum: { type: 'number' } } },
      exitCodes: { NO_RESULT: { status: 310, message: 'no result' } },
    });
  });

  it('guesses which process was meant', async () => {
    await expect(run(show, { name: 'shown.ad' })).rejects.toMatchObject({
      code: 'not-found',
      message: 'there is no process "shown.ad" (did you mean "shown.add"?)',
    });
  });
});
