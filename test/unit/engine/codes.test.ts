import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { codeSchema } from '../../../src/config/code.js';
import type { Job, JobInput } from '../../../src/config/job.js';
import { addCode, getCode, listCodes, removeCode } from '../../../src/engine/codes.js';
import { getComputer, removeComputer } from '../../../src/engine/computers.js';
import { submitJob } from '../../../src/engine/submit-job.js';
import { getProcess } from '../../../src/engine/views.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
async function start(): Promise<void> {
  test = await startProfile();
  for (const [label, mpirun] of [
    ['daint', ['srun', '-n', '{totalTasks}']],
    ['eiger', []],
  ] as const) {
    await test.addComputer({ label, transport: 'local', scheduler: 'direct', workDirectory: '/scratch', mpirun });
  }
}
const stop = () => test[Symbol.asyncDispose]();

async function add(code: Record<string, unknown>, options: { replace?: boolean } = {}) {
  const defaults = 'folder' in code ? {} : { executable: '/apps/x' };
  return addCode(test.profile, codeSchema.parse({ ...defaults, ...code }), options);
}

/** A portable code with one file. */
async function addPortable(label: string, content = '#!/bin/sh\n', name = 'run.sh') {
  const folder = path.join(test.directory, label);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, name), content);
  return add({ label, folder, executable: name });
}

async function stored(job: JobInput): Promise<Job & { id: number }> {
  const { id } = await submitJob(test.profile, job, { baseDirectory: test.directory });
  return { ...(JSON.parse((await test.row(id)).inputs) as Job), id };
}

describe('codes of a profile', () => {
  beforeEach(start);
  afterEach(stop);

  it('have a name for each computer, and one for all where they are sent along', async () => {
    await add({ label: 'pw', computer: 'daint' });
    await add({ label: 'pw', computer: 'eiger' });
    await addPortable('pw');
    await add({ label: 'ph', computer: 'daint' });
    expect((await listCodes(test.profile.store)).map(({ name }) => name)).toEqual([
      'ph@daint',
      'pw',
      'pw@daint',
      'pw@eiger',
    ]);
    await expect(add({ label: 'pw', computer: 'eiger' })).rejects.toMatchObject({ code: 'already-exists' });
    await expect(addPortable('pw')).rejects.toMatchObject({ code: 'already-exists' });
    await expect(add({ label: 'pw', computer: 'dain' })).rejects.toThrow('did you mean "daint"');
    const { store } = test.profile;
    expect((await getCode(store, 'ph')).name).toBe('ph@daint');
    await expect(getCode(store, 'pww@daint')).rejects.toThrow(
      'there is no code "pww@daint" (did you mean "pw@daint"?)',
    );
    await removeCode(store, await getCode(store, 'pw'));
    await expect(getCode(store, 'pw')).rejects.toMatchObject({
      message: 'there are several codes "pw"',
      hint: 'name one of: pw@daint, pw@eiger',
    });
  });

  it('may be replaced by others of the same name', async () => {
    const first = await add({ label: 'pw', computer: 'daint' });
    const second = await add({ label: 'pw', computer: 'daint', executable: '/apps/new' }, { replace: true });
    expect(second.row).toMatchObject({ id: first.row.id, uuid: first.row.uuid });
    expect((await getCode(test.profile.store, 'pw@daint')).config.executable).toBe('/apps/new');
  });

  it('keep their computer from being removed', async () => {
    await add({ label: 'pw', computer: 'daint' });
    const { store } = test.profile;
    await expect(removeComputer(store, await getComputer(store, 'daint'))).rejects.toMatchObject({
      hint: 'remove them first: wherry code remove pw@daint',
    });
    await removeCode(store, await getCode(store, 'pw@daint'));
    await removeComputer(store, await getComputer(store, 'daint'));
  });
});

describe('a job that names codes', () => {
  beforeEach(start);
  afterEach(stop);

  it('goes to their computer, and keeps what they were', async () => {
    await add({ label: 'pw', computer: 'daint', prepend: 'module load qe' });
    const job = await stored({ code: 'pw@daint', arguments: ['-in', 'pw.in'] });
    const { store } = test.profile;
    await removeCode(store, await getCode(store, 'pw'));
    expect(job).toMatchObject({ computer: 'daint', code: 'pw@daint' });
    expect(job.codeDefinitions?.['pw@daint']).toMatchObject({ executable: '/apps/x', prepend: 'module load qe' });
    expect((await getProcess(test.profile, job.id)).inputs.command).toEqual(['/apps/x', '-in', 'pw.in']);
  });

  it('means by a label alone that of its computer, then the portable one, then the only one', async () => {
    await add({ label: 'pw', computer: 'daint' });
    await add({ label: 'pw', computer: 'eiger', executable: '/eiger/pw' });
    await add({ label: 'ph', computer: 'eiger' });
    const chosen = async (job: JobInput) => {
      const { computer, codeDefinitions = {} } = await stored(job);
      return [computer, ...Object.values(codeDefinitions).map(({ executable }) => executable)];
    };
    expect(await chosen({ code: 'pw', computer: 'eiger' })).toEqual(['eiger', '/eiger/pw']);
    expect(await chosen({ code: 'ph' })).toEqual(['eiger', '/apps/x']);
    expect(await chosen({ codes: [{ code: 'pw' }, { code: 'ph@eiger' }] })).toEqual(['eiger', '/eiger/pw', '/apps/x']);
    await addPortable('pw');
    expect(await chosen({ code: 'pw', computer: 'daint' })).toEqual(['daint', '/apps/x']);
    expect(await chosen({ code: 'pw', computer: 'localhost' })).toEqual(['localhost', 'run.sh']);
  });

  it('brings the files of a portable code, as they were when it was added', async () => {
    await addPortable('count', '#!/bin/sh\necho one\n');
    await writeFile(path.join(test.directory, 'count/run.sh'), '#!/bin/sh\necho two\n');
    const { id } = await stored({ codes: [{ code: 'count' }, { code: 'count' }], computer: 'daint' });
    const { inputs } = await getProcess(test.profile, id);
    expect(inputs.files).toMatchObject([{ path: 'run.sh', mode: 0o755 }]);
    const file = await test.profile.repository.locate(inputs.files[0]?.sha256 ?? '');
    expect(await readFile(file, 'utf8')).toBe('#!/bin/sh\necho one\n');
  });

  it('may read what another makes, or what the computer has', async () => {
    await add({ label: 'pw', computer: 'daint' });
    await stored({
      codes: [
        { code: 'pw', stdout: 'a' },
        { code: 'pw', stdin: 'a' },
      ],
    });
    await stored({ code: 'pw', stdin: 'a', remoteCopy: [{ from: '/data/a' }] });
  });

  it('may say what asks for nothing special where it cannot be expressed', async () => {
    const plain = { hold: false, rerunnable: false, exclusive: false, importEnvironment: true };
    await stored({ command: ['x'], computer: 'daint', ...plain });
  });
});

describe('a job that cannot be', () => {
  beforeAll(async () => {
    await start();
    await add({ label: 'pw', computer: 'daint', mpi: true });
    await add({ label: 'ph', computer: 'eiger' });
    await addPortable('count');
    await addPortable('other', '#!/bin/sh\nother\n');
  });
  afterAll(stop);

  it.each<[JobInput, string]>([
    [{ code: 'pww' }, 'code: there is no code "pww" (did you mean "pw"?)'],
    [{ code: 'pw@daint', computer: 'eiger' }, 'code: pw@daint is on daint, and the job on eiger'],
    [
      { codes: [{ code: 'pw@daint' }, { code: 'ph@eiger' }] },
      'codes[1].code: ph@eiger is on eiger, and the job on daint',
    ],
    [{ code: 'count', computer: 'daint', files: { 'run.sh': './count/run.sh' } }, '"run.sh" comes with a code'],
    [{ code: 'count', computer: 'daint', files: { 'run.sh/a': './count/run.sh' } }, '"run.sh" comes with a code'],
    [{ codes: [{ code: 'count' }, { code: 'other' }], computer: 'daint' }, '"run.sh" comes with a code'],
    [{ code: 'count', computer: 'daint', stdout: 'run.sh' }, 'stdout: would overwrite the input file "run.sh"'],
    [{ codes: [{ code: 'pw@daint', stdin: 'a.in' }] }, 'codes[0].stdin: no file "a.in" is sent with the job'],
    [{ code: 'pw@daint', mpi: false }, 'mpi: is false, but the code pw@daint says true'],
    [{ code: 'ph@eiger', mpi: true }, 'mpi: is true, but eiger has no mpirun'],
    [{ codes: [{ code: 'pw@daint', mpi: false }] }, 'codes[0].mpi: is false, but the code pw@daint says true'],
    [{ codes: [{ code: 'count', mpi: true }], computer: 'daint', mpi: false }, 'codes[0].mpi: is true, and false for'],
    [{ command: ['x'], computer: 'eiger', mpi: true }, 'mpi: is true, but eiger has no mpirun'],
    [{ command: ['x'], computer: 'daint', mpirunExtra: ['-v'] }, 'mpirunExtra: says something to an mpirun'],
    [{ command: ['x'], code: 'pw@daint' }, 'code: cannot be given together with command'],
    [{ command: ['x'], arguments: ['a'], codesRun: 'serial' }, 'arguments: are those of a code'],
    [
      {
        codes: [
          { code: 'pw', stdout: 'a' },
          { code: 'pw', stderr: 'a' },
        ],
      },
      'codes[1].stderr: "a" is written by something',
    ],
    [{ command: ['x'], computer: 'daint', hold: true }, 'hold: the scheduler direct cannot express hold'],
    [
      { command: ['x'], computer: 'daint', importEnvironment: false },
      'importEnvironment: the scheduler direct cannot express importEnvironment',
    ],
  ])('is refused: %j', async (job, message) => {
    await expect(submitJob(test.profile, job, { baseDirectory: test.directory })).rejects.toThrow(message);
    expect(await test.profile.store.selectFrom('processes').select('id').execute()).toEqual([]);
  });
});
