import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatherEvidence, listJobs } from '../../../src/engine/job-manager.js';
import type { ExecResult } from '../../../src/plugin/transport.js';
import type { ProcessRow } from '../../../src/store/tables.js';
import { fakeScheduler } from '../calcjob/fake-scheduler.js';
import { insertProcess } from '../process/stored-process.js';
import { type TemporaryStore, temporaryStore } from '../store/temporary-store.js';
import { FakeTransport, loadedComputer } from './fake-computer.js';

const result = (stdout: string, exitCode = 0): ExecResult => ({
  stdout,
  stderr: '',
  exitCode,
  signal: null,
  durationMs: 1,
});

describe('asking about all jobs of a computer', () => {
  let rig: TemporaryStore;
  let transport: FakeTransport;
  let rows: ProcessRow[];
  /** Answers by the beginning of the command. */
  let answers: Record<string, string | Error>;
  let stdin: string;

  beforeEach(async () => {
    rig = await temporaryStore();
    transport = new FakeTransport();
    answers = { 'fake-list': 'end\n', 'fake-accounting': 'end\n', 'exec sh -s': 'end\n' };
    transport.cluster.intercept = (script, options) => {
      if (script === 'exec sh -s') stdin = String(options.stdin);
      const [, answer] = Object.entries(answers).find(([begin]) => script.startsWith(begin)) ?? [];
      if (answer instanceof Error) throw answer;
      return answer === undefined ? undefined : result(answer);
    };
    rows = [];
    for (const [index, id] of ['11', '12', '13'].entries())
      rows.push(
        await insertProcess(rig.store, {
          state: 'waiting',
          stage: 'update',
          job_id: id,
          remote_directory: `/w/it's ${index}`,
          created_at: 90_000_000_000,
        }),
      );
  });
  afterEach(() => rig[Symbol.asyncDispose]());

  async function ask(scheduler = fakeScheduler) {
    const computer = { ...(await loadedComputer(rig.store, transport)), scheduler };
    const connection = transport.cluster.connect();
    const context = { computer, connection, signal: new AbortController().signal };
    const ids = rows.flatMap(({ job_id }) => job_id ?? []);
    return gatherEvidence(context, await listJobs(context, ids, false), rows);
  }
  const of = (evidence: Awaited<ReturnType<typeof ask>>) =>
    rows.map((row) => {
      const { listed, recorded, exitFile } = evidence.get(row.id) ?? {};
      return [listed?.state, recorded?.state, exitFile];
    });

  it('is one listing when it shows all of them alive or ended', async () => {
    answers['fake-list'] = '11 running a\n12 queued b\n13 done c\n99 running foreign\nend\n';
    expect(of(await ask())).toEqual([
      ['running', undefined, undefined],
      ['queued', undefined, undefined],
      ['done', undefined, undefined],
    ]);
    expect(transport.cluster.commands).toEqual(['fake-list']);
  });

  it('asks records and exit files once, for those only that the listing leaves open', async () => {
    answers['fake-list'] = '11 running a\n13 unknown c\nend\n';
    answers['fake-accounting'] = '12 timeout b\nend\n';
    answers['exec sh -s'] = `${rows[2]?.id} 3\nend\n`;
    expect(of(await ask())).toEqual([
      ['running', undefined, undefined],
      [undefined, 'timeout', undefined],
      ['unknown', undefined, 3],
    ]);
    expect(transport.cluster.commands).toEqual(['fake-list', 'fake-accounting 12 13', 'exec sh -s']);
    expect(stdin).not.toContain(`show ${rows[0]?.id} `);
    expect(stdin).toContain(`show ${rows[1]?.id} '/w/it'\\''s 1/.wherry/exit'`);
  });

  it.each(['', 'garbage', '11 running a\n', 'slurm_load_jobs error: timed out\n'])(
    'concludes nothing from a listing that is no complete answer: %j',
    async (listing) => {
      answers['fake-list'] = listing;
      await expect(ask()).rejects.toMatchObject({ code: 'scheduler-unavailable', transient: true });
      expect(transport.cluster.commands).toEqual(['fake-list']);
    },
  );

  it('goes by the other sources when the records cannot be had', async () => {
    answers['fake-accounting'] = 'sacct: error: slurmdbd is down';
    answers['exec sh -s'] = `${rows[0]?.id} 0\nend\n`;
    expect(of(await ask())).toEqual([
      [undefined, undefined, 0],
      [undefined, undefined, undefined],
      [undefined, undefined, undefined],
    ]);
  });

  it('does without records where the scheduler has none', async () => {
    const { accounting: _accounting, parseAccounting: _parse, ...without } = fakeScheduler;
    answers['exec sh -s'] = `${rows[1]?.id} 1\nend\n`;
    expect(of(await ask(without))[1]).toEqual([undefined, undefined, 1]);
    expect(transport.cluster.count('fake-accounting')).toBe(0);
  });

  it.each(['x', '-1', '1 2', '', '99999', '0x1', '1e2'])(
    'takes no exit code from an exit file with %j',
    async (text) => {
      answers['exec sh -s'] = `${rows[0]?.id} ${text}\nend\n`;
      expect(of(await ask())[0]?.[2]).toBeUndefined();
    },
  );

  it('reads the exit files by a real shell, and none can speak for another job', async () => {
    const contents = ['3\n', `0\\n${rows[2]?.id} 0\n`, '143'];
    const placed: ProcessRow[] = [];
    for (const [index, row] of rows.entries()) {
      const directory = `${rig.directory}/it's $(job) ${index}`;
      await mkdir(`${directory}/.wherry`, { recursive: true });
      await writeFile(`${directory}/.wherry/exit`, contents[index] ?? '');
      placed.push({ ...row, remote_directory: directory });
    }
    placed.push({ ...placed[0], id: 77, remote_directory: `${rig.directory}/none` } as ProcessRow);
    rows = placed;
    transport.cluster.intercept = (script, options) =>
      script === 'exec sh -s'
        ? result(execFileSync('/bin/sh', ['-c', script], { input: String(options.stdin), encoding: 'utf8' }))
        : undefined;
    expect(of(await ask()).map(([, , exit]) => exit)).toEqual([3, undefined, undefined, undefined]);
  });

  it('fails as a whole when the connection breaks between two questions', async () => {
    answers['fake-accounting'] = Object.assign(new Error('gone'), { code: 'connection-lost' });
    await expect(ask()).rejects.toThrow('gone');
  });
});
