import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dryRunJob } from '../../../src/engine/dry-run.js';
import { calcfunction, defineCalcJob, dryRun, FileContent, file, Runner, z } from '../../../src/index.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';
import { filesBelow } from '../calcjob/verb-rig.js';

let test: TestProfile;
beforeEach(async () => {
  test = await startProfile();
  await writeFile(path.join(test.directory, 'in.txt'), 'x\n');
  await writeFile(path.join(test.directory, 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
});
afterEach(() => test[Symbol.asyncDispose]());

it('writes the folder and the script as they would be sent, and stores nothing', async () => {
  const job = {
    ...{ computer: 'localhost', command: ['./run.sh', 'a b'], stdin: 'in/in.txt', stdout: 'out/o.txt' },
    files: { 'in/': './in.txt', 'run.sh': './run.sh' },
  };
  const directory = path.join(test.directory, 'submit_test');
  const options = { baseDirectory: test.directory, directory };
  const { folder, script } = await dryRunJob(test.profile, job, options);
  expect(path.relative(directory, folder)).toMatch(/^20\d{6}-1$/);
  const { '.wherry/job.json': stored = '', ...files } = await filesBelow(folder);
  expect(files).toEqual({ '.wherry/job-1.sh': script, 'in/in.txt': 'x\n', 'run.sh': '#!/bin/sh\n' });
  expect(script).toContain("\n./run.sh 'a b' < ./in/in.txt > ./out/o.txt 2> ./stderr.txt\n");
  expect((await stat(path.join(folder, 'out'))).isDirectory()).toBe(true);
  expect((await stat(path.join(folder, 'run.sh'))).mode & 0o777).toBe(0o755);
  expect(JSON.parse(stored)).toMatchObject({ computer: 'localhost', command: job.command });

  const second = await dryRunJob(test.profile, job, options);
  expect(second.folder).toBe(folder.replace(/-1$/, '-2'));
  expect(await test.profile.store.selectFrom('processes').select('id').execute()).toEqual([]);
});

it('refuses what a submission would refuse, and writes nothing', async () => {
  const directory = path.join(test.directory, 'submit_test');
  const wrong = { computer: 'localhost', command: ['x'], resources: { nodes: 2 } };
  await expect(dryRunJob(test.profile, wrong, { directory })).rejects.toThrow('nodes can only be 1');
  await expect(readFile(directory)).rejects.toThrow(/ENOENT/);
});

it('asks for what the computer says where the job does not', async () => {
  const resources = { tasksPerNode: 4, cpusPerTask: 2, walltime: 3_600 };
  const config = { label: 'desk', transport: 'local', scheduler: 'direct', workDirectory: test.directory, resources };
  await test.addComputer(config);
  const job = { computer: 'desk', command: ['x'], resources: { tasksPerNode: 1, walltime: undefined } };
  const { folder } = await dryRunJob(test.profile, job, { directory: path.join(test.directory, 'tries') });
  const { '.wherry/job.json': stored = '' } = await filesBelow(folder);
  expect(JSON.parse(stored).resources).toEqual({ tasksPerNode: 1, cpusPerTask: 2, walltime: 3_600 });
});

describe('the dry run of a definition', () => {
  const Count = defineCalcJob({
    name: 'dry-run.count',
    inputs: z.object({ text: file(), words: z.array(z.string()) }),
    outputs: z.object({}),
    async prepare({ inputs, folder }) {
      folder.copy('in/text.txt', inputs.text);
      await folder.write('secret.txt', 'not kept');
      return { command: ['wc', ...inputs.words], stdin: 'in/text.txt', exclude: ['secret.txt'] };
    },
  });
  const inputs = { text: new FileContent('any.txt', 'one two\n'), words: ['-w', 'a b'] };
  const runner = () => Runner.open({ home: test.profile.location.home });

  it('writes what its preparation makes and its caller says, and stores no process', async () => {
    await using _runner = await runner();
    const directory = path.join(test.directory, 'tries');
    const job = { environment: { NAME: 'Grace Hopper' } };
    const { folder, script } = await dryRun(Count, inputs, { job, directory, label: 'try' });
    expect(path.relative(directory, folder)).toMatch(/^20\d{6}-1$/);
    const { '.wherry/job.json': stored = '', ...files } = await filesBelow(folder);
    expect(files).toEqual({ '.wherry/job-1.sh': script, 'in/text.txt': 'one two\n', 'secret.txt': 'not kept' });
    expect(script).toContain("\nwc -w 'a b' < ./in/text.txt > ./stdout.txt 2> ./stderr.txt\n");
    expect(script).toContain("NAME='Grace Hopper'");
    expect(JSON.parse(stored)).toMatchObject({ computer: 'localhost', label: 'try', exclude: ['secret.txt'] });
    expect(await test.profile.store.selectFrom('processes').select('id').execute()).toEqual([]);
    expect(test.profile.repository.passingBefore(Number.POSITIVE_INFINITY)).toEqual([]);
  });

  it('refuses what a submission would refuse, and what is no calcjob', async () => {
    await using _runner = await runner();
    await expect(dryRun(Count, { ...inputs, words: [1] } as never)).rejects.toThrow('words');
    await expect(dryRun(Count, inputs, { job: { computer: 'nowhere' } })).rejects.toThrow('nowhere');
    const square = calcfunction('dry-run.square', (x: number) => x * x);
    await expect(dryRun(square, { x: 2 })).rejects.toThrow('dry-run.square is a function');
  });
});
