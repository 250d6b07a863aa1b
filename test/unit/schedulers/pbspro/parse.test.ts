import { describe, expect, it } from 'vitest';
import pbspro from '../../../../schedulers/pbspro/index.js';
import { readJson } from '../../../../schedulers/pbspro/json.js';
import { readCaptures, resultWith } from '../../../conformance/captures.js';
import { listing, listingOf } from './listings.js';

const captures = readCaptures('pbspro/listing.txt');
const all = new Map(
  [...pbspro.parseList(listing(captures.take('all with history and array')))].map((job) => [job.id, job]),
);
const ended = (fields: object) => {
  const [job] = [...pbspro.parseList(listingOf({ '1.pbshead': { Job_Name: 'a', job_state: 'F', ...fields } }))];
  return job;
};

describe('the listing', () => {
  it.each([
    ['0.pbshead', { state: 'done', exitCode: 0, word: 'F' }],
    ['1.pbshead', { state: 'failed', exitCode: 7 }],
    ['2.pbshead', { state: 'timeout', walltime: 35 }],
    ['3.pbshead', { state: 'failed', signal: 9 }],
    ['5.pbshead', { state: 'running', nodes: 'pbshead' }],
    ['6.pbshead', { state: 'running', name: 'my-job_1.x' }],
    ['7[].pbshead', { state: 'done' }],
    ['7[2].pbshead', { state: 'done' }],
    ['8.pbshead', { state: 'queued', word: 'H', reason: 'afterok:5.pbshead@pbshead' }],
    ['9.pbshead', { state: 'held' }],
    ['10.pbshead', { state: 'queued', word: 'W' }],
    ['12.pbshead', { state: 'queued', reason: expect.stringContaining('Can Never Run') }],
    ['21.pbshead', { state: 'cancelled' }],
  ])('%s', (id, expected) => {
    expect(all.get(id)).toMatchObject(expected);
  });

  it('reads all fields of an ended job', () => {
    expect(all.get('2.pbshead')).toMatchObject({
      name: 'tmo',
      user: 'user1',
      queue: 'workq',
      submittedAt: '2026-11-21T01:00:07Z',
      startedAt: '2026-11-21T01:00:07Z',
      endedAt: '2026-11-21T01:00:43Z',
      reason: 'Job run at Sat Nov 21 at 01:00 on (pbshead:ncpus=1) and exceeded resource walltime',
    });
    expect(all.get('2.pbshead')).not.toHaveProperty('exitCode');
    expect(all.get('3.pbshead')).not.toHaveProperty('exitCode');
  });

  it('tells of known jobs beside unknown ones', () => {
    expect([...pbspro.parseList(listing(captures.take('one known, one unknown job')))].map((job) => job.id)).toEqual([
      '5.pbshead',
    ]);
    expect([...pbspro.parseList(listing(captures.take('unknown job')))]).toEqual([]);
  });

  it('takes the second answer of a server without history', () => {
    const { result } = captures.take('running');
    const stdout = `# begin jobs\n{\n"half": 1\n# begin jobs\n${result.stdout}# end jobs 35\n# end\n`;
    expect([...pbspro.parseList(resultWith({ stdout }))].map((job) => job.id)).toEqual(['5.pbshead']);
  });
});

describe('the end of a job', () => {
  it.each([
    [{ Exit_status: -27 }, 'out-of-memory'],
    [{ Exit_status: -28 }, 'timeout'],
    [{ Exit_status: -4, comment: 'Job run at Sat Nov 21 at 01:02 on (pbshead:ncpus=2:mem=307200kb) ' }, 'node-failure'],
    [{ Exit_status: -1 }, 'failed'],
    [{ Exit_status: 143, substate: 91, comment: 'Job run and terminated by user1@pbshead' }, 'cancelled'],
    [{ Exit_status: 271, substate: 91 }, 'cancelled'],
    [{ Exit_status: 271, substate: 93 }, 'failed'],
    [{ Exit_status: 137, comment: 'Cgroup mem limit exceeded: oom-kill' }, 'out-of-memory'],
    [{ Exit_status: 271, comment: 'Job run and exceeded resource walltime' }, 'timeout'],
    [{ substate: 91, comment: 'Not Running and terminated' }, 'cancelled'],
  ])('%j is %s', (fields, state) => {
    expect(ended(fields)?.state).toBe(state);
  });

  it('reads signals of the shell and of PBS', () => {
    expect(ended({ Exit_status: 139 })).toMatchObject({ signal: 11 });
    expect(ended({ Exit_status: 256 + 15 })).toMatchObject({ signal: 15 });
    expect(ended({ Exit_status: 128 })).toMatchObject({ exitCode: 128 });
  });
});

describe('JSON that PBS wrote badly', () => {
  const broken = (line: string) =>
    listing({
      result: resultWith({
        stdout: `{\n\t"Jobs":\t{\n\t\t"1.pbshead":\t{\n\t\t\t"Job_Name":\t"a",\n${line}\n\t\t\t"job_state":\t"R"\n\t\t}\n\t}\n}\n`,
      }),
    });

  it.each([
    ['a number with a leading zero', '\t\t\t"Variable_List":\t{\n\t\t\t\t"A":\t007\n\t\t\t},'],
    ['a bare word', '\t\t\t"Account_Name":\tnan,'],
    ['quotes inside', '\t\t\t"comment":\t"he said "no" twice",'],
    ['a backslash that escapes nothing', '\t\t\t"comment":\t"C:\\dir",'],
    ['a control character', '\t\t\t"comment":\t"a\u001bb",'],
    ['a line break inside', '\t\t\t"comment":\t"one\ntwo",'],
    ['a comma too many', '\t\t\t"Variable_List":\t{\n\t\t\t\t"A":\t"1",\n\t\t\t},'],
    ['no value', '\t\t\t"Account_Name":\t,'],
  ])('%s', (_, line) => {
    expect([...pbspro.parseList(broken(line))]).toMatchObject([{ id: '1.pbshead', name: 'a', state: 'running' }]);
  });

  it('is no answer when it ends too early', () => {
    const { stdout } = captures.take('running').result;
    const lines = stdout.trimEnd().split('\n');
    for (let count = 0; count < lines.length; count++) {
      expect(readJson(lines.slice(0, count).join('\n').replace('"Job_Name"', '"Job\u001bName"'))).toBeUndefined();
    }
  });
});
