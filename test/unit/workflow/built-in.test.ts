import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import {
  ArithmeticAdd,
  FileContent,
  type FileData,
  getProcess,
  Runner,
  run,
  Shell,
  Stash,
  Transfer,
  Unstash,
} from '../../../src/index.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
let runner: Runner;
beforeEach(async () => {
  test = await startProfile();
  runner = await Runner.open({ home: test.profile.location.home });
});
afterEach(async () => {
  await runner[Symbol.asyncDispose]();
  await test[Symbol.asyncDispose]();
});

it('adds numbers', async () => {
  expect(await run(ArithmeticAdd, { x: 0.1, y: -3e200 })).toMatchObject({ sum: 0.1 - 3e200 });
  expect(await run(ArithmeticAdd, { x: -2, y: -3 })).toMatchObject({ sum: -5 });
});

it('runs a command with files', async () => {
  const files = { given: new FileContent('in.txt', 'b\na\n') };
  const { stdout } = await run(Shell, { command: ['sort'], stdin: 'in.txt', files });
  expect(await (stdout as FileData).text()).toBe('a\nb\n');
  const failed = await runner.call(Shell, { command: ['sh', '-c', 'echo so; exit 3'] });
  expect(failed).toMatchObject({ ok: false, exit: { status: 3, label: 'COMMAND_FAILED' } });
  expect(await (failed.outputs.stdout as FileData).text()).toBe('so\n');
});

it('transfers, stashes and brings back what stands on a computer', async () => {
  const source = path.join(test.directory, 'run');
  await mkdir(source);
  await writeFile(path.join(source, 'big.dat'), 'big');
  const there = { computer: 'localhost', path: source };
  const brought = await runner.call(Transfer, { source: there, files: ['big.dat'] });
  expect(brought).toMatchObject({ ok: true });
  expect(await test.output(brought.id, 'big.dat')).toBe('big');
  expect((await getProcess(test.profile, brought.id)).outputs?.files.map((file) => file.path)).toEqual(['big.dat']);
  const to = path.join(test.directory, 'kept');
  const stashed = await runner.call(Stash, { source: there, files: ['big.dat'], to, mode: 'tar.gz' });
  expect(stashed).toMatchObject({ ok: true, outputs: { stash: expect.anything() } });
  const back = await runner.call(Unstash, { source: stashed.data.stash });
  expect(back).toMatchObject({ ok: true });
  const { remote_directory } = await test.row(back.id);
  expect(await readFile(path.join(remote_directory ?? '', 'big.dat'), 'utf8')).toBe('big');
  expect(await readFile(path.join(source, 'big.dat'), 'utf8')).toBe('big');
  expect((await test.row(stashed.id)).job_id).toBeNull();
});
