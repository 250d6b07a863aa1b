import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ProcessDetails } from '../../../src/engine/views.js';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';

let wherry: CommandLine;
beforeAll(async () => {
  wherry = await startCommandLine();
  await wherry.run(['run', '--computer', 'localhost', '--label', 'one', '--', 'sh', '-c', 'exit 4']);
  await wherry.succeed(['submit', '--computer', 'localhost', '--label', 'two', '--walltime', '1h30m', '--', 'true']);
});
afterAll(() => wherry[Symbol.asyncDispose]());

const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('JSON', () => {
  it('of ps keeps its contract', async () => {
    const [first, second] = await wherry.list();
    expect(first).toEqual({
      id: 1,
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      type: 'calcjob',
      name: 'shell',
      label: 'one',
      state: 'finished',
      stage: null,
      paused: false,
      pausedReason: null,
      pausedAt: null,
      exitStatus: 4,
      exitLabel: 'COMMAND_FAILED',
      exitMessage: 'the command ended with exit code 4',
      computer: 'localhost',
      jobId: expect.any(String),
      schedulerState: 'failed',
      schedulerReason: null,
      waitingFor: null,
      waitingSince: null,
      priority: 0,
      killRequestedAt: null,
      createdAt: expect.stringMatching(iso),
      updatedAt: expect.stringMatching(iso),
      endedAt: expect.stringMatching(iso),
    });
    expect(second).toMatchObject({
      id: 2,
      state: 'created',
      stage: 'upload',
      exitStatus: null,
      jobId: null,
      endedAt: null,
    });
  });

  it('of show adds everything else', async () => {
    const [first, second] = JSON.parse(await wherry.succeed(['show', '1', '2', '--json'])) as ProcessDetails[];
    expect(first).toMatchObject({
      inputs: { command: ['sh', '-c', 'exit 4'], files: [] },
      outputs: {
        exitCode: 4,
        files: expect.arrayContaining([expect.objectContaining({ path: 'stdout.txt', size: 0 })]),
      },
      parent: null,
      children: [],
      attempts: [{ attempt: 1, outcome: 'accepted', jobId: first?.jobId, intendedAt: expect.stringMatching(iso) }],
      remoteDirectory: expect.stringContaining('/'),
      accounting: { state: 'failed' },
    });
    expect(first?.timings.map(({ stage }) => stage)).toEqual(['upload', 'submit', 'update', 'retrieve', 'parse']);
    expect(first?.timings.every(({ durationMs }) => typeof durationMs === 'number')).toBe(true);
    expect(second).toMatchObject({ options: { resources: { walltime: 5400 } }, outputs: null, attempts: [] });
  });

  it('of explain says what is waited for and who drives', async () => {
    expect(JSON.parse(await wherry.succeed(['explain', '2', '--json']))).toMatchObject({
      ...{ id: 2, state: 'created', stage: 'upload', waitingFor: 'its turn to upload', driver: null },
      details: [expect.stringContaining('nothing drives localhost')],
    });
    expect(JSON.parse(await wherry.succeed(['explain', '1', '--json']))).toMatchObject({
      waitingFor: null,
      driver: null,
    });
  });

  it('of computer test lists the checks', async () => {
    const checks = JSON.parse(await wherry.succeed(['computer', 'test', 'localhost', '--json'])) as { ok: boolean }[];
    expect(checks.length).toBeGreaterThan(8);
    expect(checks.every(({ ok }) => ok)).toBe(true);
  });
});

describe('filters of ps', () => {
  it('choose by state, label and number', async () => {
    const ids = async (...words: string[]) =>
      (JSON.parse(await wherry.succeed(['ps', '--json', ...words])) as { id: number }[]).map(({ id }) => id);
    expect(await ids()).toEqual([1, 2]);
    expect(await ids('--state', 'created')).toEqual([2]);
    expect(await ids('--label', 'tw')).toEqual([2]);
    expect(await ids('--label', '%')).toEqual([]);
    expect(await ids('--limit', '1')).toEqual([2]);
    expect(await ids('--computer', 'localhost', '--state', 'finished,killed')).toEqual([1]);
    expect((await wherry.run(['ps', '--state', 'ended'])).exitCode).toBe(2);
  });
});

describe('a computer', () => {
  it('is exported and added again', async () => {
    const text = await wherry.succeed(['computer', 'export', 'localhost']);
    await wherry.write('copy.yaml', text);
    expect(await wherry.succeed(['computer', 'add', 'copy', '--file', 'copy.yaml'])).toBe('copy\n');
    expect(await wherry.succeed(['computer', 'export', 'copy'])).toBe(text.replace('label: localhost', 'label: copy'));
    await wherry.succeed(['computer', 'edit', 'copy', '--limit', 'maxQueued=5', '--limit', 'minPollInterval=30s']);
    expect(await wherry.succeed(['computer', 'export', 'copy'])).toContain('minPollInterval: 30s');
    await wherry.succeed(['computer', 'edit', 'copy', '--limit', 'maxQueued=']);
    expect(await wherry.succeed(['computer', 'export', 'copy'])).not.toContain('maxQueued');
    expect((await wherry.run(['computer', 'remove', 'localhost'])).exitCode).toBe(2);
    await wherry.succeed(['computer', 'remove', 'copy']);
  });
});

describe('the program', () => {
  it('prints its version, its help, and is quiet when nobody reads on', async () => {
    expect(await wherry.succeed(['--version'])).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await wherry.succeed(['--help'])).toContain('submit [files..]');
    expect(await wherry.succeed(['computer', '--help'])).toContain('computer add');
    expect(await wherry.succeed(['submit', '--help'])).toContain('--walltime');
    const program = new URL('../../../dist/src/cli/main.js', import.meta.url).pathname;
    const shell = spawnSync('bash', [
      '-c',
      'set -o pipefail; "$0" "$1" --help | true; echo "$?"',
      process.execPath,
      program,
    ]);
    expect(shell.stdout.toString().trim()).toBe('0');
    expect(shell.stderr.toString()).toBe('');
  });

  it('completes commands, options, ids and labels', async () => {
    const complete = (...words: string[]) => wherry.succeed(['--get-yargs-completions', 'wherry', ...words]);
    expect(await complete('sub')).toBe('submit\n');
    expect(await complete('computer', 'te')).toBe('test\n');
    expect(await complete('submit', '--wall')).toBe('--walltime\n');
    expect(await complete('show', '')).toBe('2\n1\n');
    expect(await complete('computer', 'test', 'lo')).toBe('localhost\n');
  });
});
