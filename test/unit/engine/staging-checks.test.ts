import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { computerSchema } from '../../../src/config/computer.js';
import { type JobInput, jobSchema } from '../../../src/config/job.js';
import { addComputer } from '../../../src/engine/computers.js';
import { checkStaging } from '../../../src/engine/staging-checks.js';
import type { ComputerRow } from '../../../src/store/tables.js';
import { insertProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';

let rig: TemporaryStore;
let here: ComputerRow;
let there: ComputerRow;
beforeEach(async () => {
  rig = await temporaryStore();
  const named = (label: string) => computerSchema.parse({ label, transport: 't', scheduler: 's', workDirectory: '/w' });
  here = await addComputer(rig.store, named('here'));
  there = await addComputer(rig.store, named('there'));
});
afterEach(() => rig[Symbol.asyncDispose]());

async function issuesOf(job: Partial<JobInput>, files: readonly string[] = []): Promise<string[]> {
  const checked = jobSchema.parse({ command: ['true'], ...job });
  const sent = files.map((path) => ({ path }));
  const failure = await checkStaging(rig.store, checked, here, sent, { source: '' }).catch((error: Error) => error);
  return failure === undefined ? [] : failure.message.split('\n');
}
const ended = { ended_at: 1, state: 'finished', stage: null, remote_directory: '/w/x' };

describe('what a job says of files', () => {
  it('may be of processes that have ended and left a directory on the same computer', async () => {
    const { id } = await insertProcess(rig.store, { ...ended, computer_id: here.id });
    expect(await issuesOf({ remoteCopy: [{ from: { process: id, path: '*' } }] })).toEqual([]);
  });

  it('is refused with all that is wrong, each in its place', async () => {
    const elsewhere = await insertProcess(rig.store, { ...ended, computer_id: there.id });
    const running = await insertProcess(rig.store, { computer_id: here.id, remote_directory: '/w/y' });
    const never = await insertProcess(rig.store, { ...ended, computer_id: here.id, remote_directory: null });
    const of = (process: number) => ({ from: { process, path: 'x' } });
    const remoteSymlink = [of(running.id), of(never.id)];
    expect(await issuesOf({ remoteCopy: [of(999), of(elsewhere.id)], remoteSymlink })).toEqual([
      'remoteCopy[0].from.process: process 999 does not exist',
      `remoteCopy[1].from.process: process ${elsewhere.id} did not run on here`,
      `remoteSymlink[0].from.process: process ${running.id} has not ended`,
      `remoteSymlink[1].from.process: process ${never.id} has left no directory on the computer`,
    ]);
  });

  it('may exclude what is sent only: a slip would keep what must not be kept', async () => {
    const exclude = ['pseudo/', 'my.key', '*.pem', 'sub/x'];
    expect(await issuesOf({ exclude }, ['pseudo/Si.upf', 'sub/x/y', 'in.txt'])).toEqual([
      'exclude[1]: "my.key" is no input file',
      'exclude[2]: "*.pem" is no input file',
    ]);
  });
});

describe('the schema of files on the computer', () => {
  const problem = (entry: unknown) =>
    jobSchema.safeParse({ command: ['true'], remoteCopy: [entry] }).error?.issues[0]?.path.join('.');
  it.each([
    [{ from: 'relative' }],
    [{ from: '/' }],
    [{ from: '/a/../b' }],
    [{ from: '/a//b' }],
    [{ from: '/a', to: '/b' }],
    [{ from: '/a', to: '../b' }],
    [{ from: '/a', to: '.wherry/claim' }],
    [{ from: '/a/.wherry' }],
    [{ from: { process: 0, path: 'x' } }],
    [{ from: { process: 1, path: '../x' } }],
    [{ from: { process: 1, path: '/x' } }],
    [{ from: '/a\0' }],
  ])('refuses %j', (entry) => {
    expect(problem(entry)).toMatch(/^remoteCopy\.0/);
  });
  it.each([[{ from: '/a/' }], [{ from: '/a/*', to: 'x/' }], [{ from: '/a/.wherry', to: 'theirs' }]])(
    'takes %j',
    (entry) => {
      expect(problem(entry)).toBeUndefined();
    },
  );
});
