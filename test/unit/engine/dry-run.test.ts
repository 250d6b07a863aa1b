import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { dryRun } from '../../../src/engine/dry-run.js';
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
  const { folder, script } = await dryRun(test.profile, job, options);
  expect(path.relative(directory, folder)).toMatch(/^20\d{6}-1$/);
  const { '.wherry/job.json': stored = '', ...files } = await filesBelow(folder);
  expect(files).toEqual({ '.wherry/job-1.sh': script, 'in/in.txt': 'x\n', 'run.sh': '#!/bin/sh\n' });
  expect(script).toContain("\n./run.sh 'a b' < ./in/in.txt > ./out/o.txt 2> ./stderr.txt\n");
  expect((await stat(path.join(folder, 'out'))).isDirectory()).toBe(true);
  expect((await stat(path.join(folder, 'run.sh'))).mode & 0o777).toBe(0o755);
  expect(JSON.parse(stored)).toMatchObject({ computer: 'localhost', command: job.command });

  const second = await dryRun(test.profile, job, options);
  expect(second.folder).toBe(folder.replace(/-1$/, '-2'));
  expect(await test.profile.store.selectFrom('processes').select('id').execute()).toEqual([]);
});

it('refuses what a submission would refuse, and writes nothing', async () => {
  const directory = path.join(test.directory, 'submit_test');
  const wrong = { computer: 'localhost', command: ['x'], resources: { nodes: 2 } };
  await expect(dryRun(test.profile, wrong, { directory })).rejects.toThrow('nodes can only be 1');
  await expect(readFile(directory)).rejects.toThrow(/ENOENT/);
});
