import type { ExecResult } from '../../../src/plugin/transport.js';
import { defineScheduler, type JobInfo, type JobState, WherryError, z } from '../../../src/plugin.js';

/** Each line is `id state name`; the last one is `end`, as a sign that the answer is complete. */
function parseJobs({ stdout }: ExecResult): JobInfo[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  if (lines.pop() !== 'end') throw new WherryError('scheduler-unavailable', 'no complete answer', { transient: true });
  return lines.map((line) => {
    const [id = '', state = 'unknown', name = ''] = line.split(' ');
    return {
      id,
      state: state as JobState,
      word: state.toUpperCase(),
      name,
      ...(state === 'done' ? { exitCode: 0 } : {}),
    };
  });
}

/** A scheduler whose commands a FakeCluster understands. */
export const fakeScheduler = defineScheduler({
  name: 'fake',
  resources: z.object({}),
  options: z.object({}),
  settings: [],
  can: { accounting: true, findByName: true, arrays: false, dependencies: false, hold: false },
  commands: [],
  jobIdVariable: 'FAKE_ID',
  settleTime: 10,
  header: ({ name }) => [`#FAKE ${name}`],
  submit: ({ name, script }) => ({ words: ['fake-submit', name, script] }),
  parseSubmit({ stdout, stderr, exitCode }) {
    const [word, value = ''] = stdout.trim().split(' ');
    if (exitCode === 0 && word === 'accepted') return { kind: 'accepted', jobId: value };
    if (word === 'unknown') return { kind: 'unknown', message: stderr };
    const reason = word === 'limit' || word === 'transient' ? word : 'permanent';
    return { kind: 'refused', reason, message: stderr, ...(value === '' ? {} : { exitStatus: Number(value) }) };
  },
  list: () => ({ words: ['fake-list'] }),
  parseList: parseJobs,
  find: ({ name }) => ({ words: ['fake-find', name] }),
  parseFind: parseJobs,
  kill: ({ ids }) => ({ words: ['fake-kill', ...ids] }),
  parseKill({ exitCode, stderr }) {
    if (exitCode !== 0) throw new WherryError('command-failed', stderr);
  },
  accounting: ({ ids }) => ({ words: ['fake-accounting', ...ids] }),
  parseAccounting: parseJobs,
});
