import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeSchema } from '../../../src/config/code.js';
import { addCode } from '../../../src/engine/codes.js';
import { testPortableCode } from '../../../src/engine/codes-test.js';
import { borrow } from '../../../src/engine/computer-access.js';
import { carryOutTask } from '../../../src/engine/computer-task.js';
import type { ComputerRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
let place: string;
let computer: ComputerRow;
beforeEach(async () => {
  test = await startProfile();
  place = path.join(test.directory, "apps of 'me'");
  await mkdir(place);
  await writeFile(path.join(place, 'pw.x'), '#!/bin/sh\n', { mode: 0o755 });
  const config = { label: 'here', transport: 'local', scheduler: 'direct', workDirectory: `${test.directory}/work` };
  computer = await test.addComputer({ ...config, prepend: 'echo hello; export ENGINES=/no/where' });
});
afterEach(() => test[Symbol.asyncDispose]());

async function check(code: Record<string, unknown>) {
  const { row } = await addCode(test.profile, codeSchema.parse({ label: 'pw', computer: 'here', ...code }));
  const { store } = test.profile;
  const task = { kind: 'code', codeId: row.id } as const;
  const results = await carryOutTask(store, computer.id, task, borrow(store, computer), AbortSignal.timeout(60_000));
  return (results as { name: string; ok: boolean; detail: string }[]).map(({ name, ok, detail }) => [name, ok, detail]);
}

describe('the test of a code', () => {
  it('finds what is installed', async () => {
    const executable = path.join(place, 'pw.x');
    expect(await check({ executable })).toEqual([['executable', true, executable]]);
  });

  it('tells what is not there, or may not be run', async () => {
    const executable = path.join(place, 'ph.x');
    const missing = [['executable', false, `${executable} is not there, or may not be run`]];
    expect(await check({ executable })).toEqual(missing);
    await writeFile(executable, '');
    expect(await check({ label: 'second', executable })).toEqual(missing);
    await chmod(executable, 0o755);
    expect(await check({ label: 'third', executable })).toEqual([['executable', true, executable]]);
    const folder = [['executable', false, `${place} is not there, or may not be run`]];
    expect(await check({ label: 'folder', executable: place })).toEqual(folder);
  });

  it('looks for a container by the engine on the PATH that the prepend makes, and for an image that is a file', async () => {
    const image = path.join(place, 'qe.sif');
    const container = { executable: 'pw.x', image, engine: ['pw.x', 'exec', '{image}'] };
    expect(await check(container)).toEqual([
      ['engine', false, 'pw.x is not there, or may not be run'],
      ['image', false, `${image} is not there, or may not be run`],
    ]);
    await writeFile(image, '');
    const prepend = `PATH="$PATH:${place}"`;
    expect(await check({ ...container, label: 'second', prepend })).toEqual([
      ['engine', true, 'pw.x'],
      ['image', true, image],
    ]);
    expect(await check({ ...container, label: 'third', prepend, image: 'registry/qe:7' })).toHaveLength(1);
  });

  it('tells of a prepend that ends the script', async () => {
    const [[name, ok, detail] = []] = await check({
      executable: '/bin/sh',
      prepend: 'echo no such module >&2; exit 3',
    });
    expect([name, ok]).toEqual(['prepend', false]);
    expect(detail).toContain('(exit code 3): ');
    expect(detail).toContain('no such module');
  });

  it('of a portable one looks into the repository', async () => {
    const code = await addCode(test.profile, codeSchema.parse({ label: 'sent', folder: place, executable: 'pw.x' }));
    const { repository } = test.profile;
    expect(await testPortableCode(code, repository)).toMatchObject([{ ok: true, detail: '1 in the repository' }]);
    const lost = { ...code, files: [{ path: 'pw.x', sha256: '0'.repeat(64), size: 1, mode: 0o755 }] };
    expect(await testPortableCode(lost, repository)).toMatchObject([{ ok: false }]);
  });
});
