import { describe, expect, it } from 'vitest';
import { type CalcJobState, writeState } from '../../../src/calcjob/context.js';
import { exitOf, parse } from '../../../src/calcjob/parse.js';
import { parseExitFile } from '../../../src/calcjob/retrieve.js';
import type { JobInfo, JobState } from '../../../src/plugin/scheduler.js';
import { insertProcess } from '../process/stored-process.js';
import { temporaryStore } from '../store/temporary-store.js';

function ended(state: JobState, rest: Partial<JobInfo> = {}, more: Omit<CalcJobState, 'end'> = {}): CalcJobState {
  return { end: { source: 'queue', info: { id: '7', state, word: state.toUpperCase(), ...rest } }, ...more };
}
const exitFile = (more: Omit<CalcJobState, 'end'>): CalcJobState => ({ end: { source: 'exit-file' }, ...more });

describe('the exit of a calcjob', () => {
  it.each<[string, CalcJobState, number, string]>([
    ['done with exit code 0', ended('done', { exitCode: 0 }), 0, ''],
    ['done, and its own exit file says 0', ended('done', {}, { commandExit: 0 }), 0, ''],
    ['only the exit file, 0', exitFile({ commandExit: 0 }), 0, ''],
    ['only the exit file, 3', exitFile({ commandExit: 3 }), 3, 'COMMAND_FAILED'],
    ['failed with exit code 3', ended('failed', { exitCode: 3 }), 3, 'COMMAND_FAILED'],
    ['the command counts before the job', ended('done', { exitCode: 0 }, { commandExit: 3 }), 3, 'COMMAND_FAILED'],
    [
      'the command ended well, what came behind it did not',
      ended('failed', { exitCode: 1 }, { commandExit: 0 }),
      0,
      '',
    ],
    ['failed, nothing more', ended('failed'), 1, 'JOB_FAILED'],
    ['done, and nothing tells an exit code', ended('done'), 145, 'JOB_VANISHED'],
    ['failed with exit code 0', ended('failed', { exitCode: 0 }), 1, 'JOB_FAILED'],
    ['ended by a signal', ended('failed', { exitCode: 0, signal: 9 }), 137, 'COMMAND_KILLED'],
    ['a signal after the command ended well', ended('failed', { signal: 15 }, { commandExit: 0 }), 0, ''],
    ['out of memory', ended('out-of-memory', { exitCode: 0 }, { commandExit: 137 }), 110, 'OUT_OF_MEMORY'],
    ['out of memory though the command says 0', ended('out-of-memory', {}, { commandExit: 0 }), 110, 'OUT_OF_MEMORY'],
    ['walltime', ended('timeout', {}, { commandExit: 143 }), 120, 'OUT_OF_WALLTIME'],
    ['node failure', ended('node-failure'), 140, 'NODE_FAILURE'],
    ['node failure after the command ended well', ended('node-failure', {}, { commandExit: 0 }), 0, ''],
    ['cancelled', ended('cancelled', {}, { commandExit: 143 }), 141, 'JOB_CANCELLED'],
    ['cancelled after the command ended well', ended('cancelled', {}, { commandExit: 0 }), 0, ''],
    ['preempted', ended('preempted'), 142, 'JOB_PREEMPTED'],
    ['gone without a trace', { end: { source: 'absence' } }, 145, 'JOB_VANISHED'],
    ['gone, but its exit file came with the results', { end: { source: 'absence' }, commandExit: 0 }, 0, ''],
    ['nothing known at all', {}, 145, 'JOB_VANISHED'],
    ['a missing file', ended('done', { exitCode: 0 }, { missing: ['a', 'b'] }), 11, 'MISSING_OUTPUT'],
    ['a failed command before missing files', exitFile({ commandExit: 3, missing: ['a'] }), 3, 'COMMAND_FAILED'],
  ])('%s', (_title, state, status, label) => {
    expect(exitOf(state)).toMatchObject({ status, label });
  });

  it('repeats the reason of the scheduler and the names of what is missing', () => {
    expect(exitOf(ended('timeout', { reason: 'TimeLimit' })).message).toContain('TimeLimit');
    expect(exitOf(exitFile({ commandExit: 0, missing: ['x.dat', 'y'] })).message).toContain('x.dat, y');
  });
});

describe('parsing', () => {
  it('finishes the process with what is known of its command', async () => {
    await using rig = await temporaryStore();
    const checkpoint = writeState(ended('failed', { exitCode: 1, signal: 9 }, { missing: ['a'] }));
    const row = await insertProcess(rig.store, { state: 'running', stage: 'parse', checkpoint });
    const tools = { ...rig, signal: new AbortController().signal };
    expect(await parse(row, tools)).toMatchObject({
      to: 'finished',
      outputs: { exitCode: 1, signal: 9, missing: ['a'] },
    });
    expect(await parse({ ...row, checkpoint: null }, tools)).toMatchObject({
      outputs: { exitCode: null, signal: null, missing: [] },
    });
  });

  it('does not guess from a checkpoint that is damaged', async () => {
    await using rig = await temporaryStore();
    const row = await insertProcess(rig.store, { state: 'running', stage: 'parse', checkpoint: '{' });
    const tools = { ...rig, signal: new AbortController().signal };
    await expect(parse(row, tools)).rejects.toMatchObject({ code: 'checkpoint-unreadable' });
  });
});

describe('an exit file', () => {
  it.each<[string, number | undefined]>([
    ['0\n', 0],
    ['255\n', 255],
    ['', undefined],
    ['0', undefined],
    ['\n', undefined],
    ['-1\n', undefined],
    ['1e1\n', undefined],
    ['0\n0\n', undefined],
    ['1234\n', undefined],
    [' 0\n', undefined],
  ])('of %j gives %s', (text, code) => {
    expect(parseExitFile(text)).toBe(code);
  });
});
