import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CarefulRoot } from '../../../examples/careful-root.js';
import { Survey } from '../../../examples/survey.js';
import { Runner, run } from '../../../src/engine/control/runner.js';
import { defineCalcJob, defineRestartWorkflow, InputError, ProcessFailed, z } from '../../../src/index.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
let runner: Runner;
beforeAll(async () => {
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterAll(async () => {
  await runner?.[Symbol.asyncDispose]();
  await test?.[Symbol.asyncDispose]();
});

describe('the example of handlers', () => {
  it('goes on until the root changes no more', async () => {
    expect(await run(CarefulRoot, { number: 4, steps: 6 })).toMatchObject({ root: 2 });
    const rows = await test.profile.store.selectFrom('processes').select(['name', 'exit_status']).execute();
    expect(rows.map(({ name, exit_status }) => [name, exit_status])).toEqual([
      ['example.careful-root', 0],
      ['tutorial.root', 0],
      ['tutorial.root', 0],
    ]);
  });

  it('gives up where there is no hope', async () => {
    const failed: unknown = await run(CarefulRoot, { number: 1e13 }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ProcessFailed);
    expect((failed as ProcessFailed).result.exit).toMatchObject({ status: 400, label: 'HOPELESS' });
  });
});

/** Whether it is good is told by its environment, which a definition does not know. */
const Spoken = defineCalcJob({
  name: 'restart-examples.spoken',
  inputs: z.object({}),
  outputs: z.object({ said: z.string() }),
  exitCodes: { TOO_QUIET: { status: 310, message: 'it said {said}' } },
  prepare: () => ({
    command: ['sh', '-c', 'echo $VOICE $NAME'],
    environment: { NAME: 'Ada' },
    retrieve: ['stdout.txt'],
  }),
  async parse({ retrieved, exit }) {
    const said = (await retrieved.text('stdout.txt')).trim();
    return said.startsWith('LOUD') ? { said } : exit('TOO_QUIET', { said });
  },
});
const Louder = defineRestartWorkflow({
  name: 'restart-examples.louder',
  of: Spoken,
  handlers: {
    louder: {
      exitCodes: ['TOO_QUIET'],
      handle: ({ job }) => ({ job: { environment: { VOICE: String(job.environment?.VOICE).toUpperCase() } } }),
    },
  },
});

describe('what is said of the job of a calcjob', () => {
  it('goes along with each try, and handlers change it', async () => {
    const job = { environment: { VOICE: 'loud', NAME: 'Grace' }, resources: { walltime: '10m' } } as const;
    const { said, retrieved, remoteFolder } = await run(Louder, { job });
    expect([said, await retrieved.text('stdout.txt')]).toEqual(['LOUD Grace', 'LOUD Grace\n']);
    expect(remoteFolder.value.computer).toBe('localhost');
    const rows = await test.profile.store
      .selectFrom('processes')
      .select('inputs')
      .where('name', '=', 'restart-examples.spoken')
      .orderBy('id')
      .execute();
    expect(rows.map(({ inputs }) => JSON.parse(inputs).environment)).toEqual([
      { NAME: 'Grace', VOICE: 'loud' },
      { NAME: 'Grace', VOICE: 'LOUD' },
    ]);
    expect(rows.map(({ inputs }) => JSON.parse(inputs).resources)).toEqual([{ walltime: 600 }, { walltime: 600 }]);
  });

  it('is refused where no job can be so, before anything is stored', async () => {
    const job = { resources: { walltime: 'soon' }, command: ['true'], retrieve: ['/etc/passwd'] };
    const refused: unknown = await run(Louder, { job } as never).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InputError);
    expect((refused as InputError).issues.map(({ path }) => path).sort()).toEqual([
      'job',
      'job.resources.walltime',
      'job.retrieve[0]',
    ]);
  });
});

describe('the example of many calls', () => {
  it('leaves out what fails', async () => {
    expect(await run(Survey, { numbers: [1, -1, Math.E, 0, 1] })).toEqual({ sum: 1, leftOut: [-1, 0] });
    await expect(run(Survey, { numbers: [-1, -2] })).rejects.toThrow('none of 2 numbers has a logarithm');
  });
});

describe('the page on workflows', () => {
  it('shows code that is in the examples', async () => {
    const files = ['add-on-computer', 'careful-root', 'survey', 'nested-workflow', 'tutorial/roots'];
    const texts = await Promise.all(files.map((name) => readFile(`examples/${name}.ts`, 'utf8')));
    const blocks = [...(await readFile('docs/workflows.md', 'utf8')).matchAll(/^```ts\n([\s\S]*?)^```$/gm)];
    expect(blocks.length).toBeGreaterThan(2);
    for (const [, block = ''] of blocks) expect(texts.some((text) => text.includes(block))).toBe(true);
  });
});
