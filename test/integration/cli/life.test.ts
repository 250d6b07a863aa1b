import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ProcessDetails } from '../../../src/engine/views.js';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';

let wherry: CommandLine;
beforeEach(async () => {
  wherry = await startCommandLine();
});
afterEach(() => wherry[Symbol.asyncDispose]());

describe('submit, tick, files', () => {
  it('carries files there and back, byte by byte', async () => {
    const bytes = randomBytes(300_000);
    await wherry.write('data/in.bin', bytes);
    await wherry.write(
      'job.yaml',
      `computer: localhost
label: copy
command: [sh, -c, "cp given.bin result.bin; mkdir sub; cp given.bin sub/again.bin"]
files: { given.bin: ./data/in.bin }
retrieve: [result.bin, sub]
`,
    );
    expect(await wherry.succeed(['submit', 'job.yaml'])).toBe('1\n');
    expect(await wherry.list()).toMatchObject([{ id: 1, state: 'created', stage: 'upload', label: 'copy' }]);
    expect(await wherry.tickUntilEnded(1)).toMatchObject([{ state: 'finished', exitStatus: 0 }]);

    const listing = await wherry.succeed(['files', 'ls', '1']);
    expect(listing).toContain('300000  result.bin');
    expect(listing).not.toContain('.wherry');
    expect((await wherry.run(['files', 'cat', '1', 'sub/again.bin'])).stdout.equals(bytes)).toBe(true);
    await wherry.succeed(['files', 'get', '1']);
    expect((await readFile(path.join(wherry.folder, 'copy/result.bin'))).equals(bytes)).toBe(true);
    expect((await readFile(path.join(wherry.folder, 'copy/sub/again.bin'))).equals(bytes)).toBe(true);
    await wherry.succeed(['files', 'get', '1', '--inputs', '--to', 'sent']);
    expect((await readFile(path.join(wherry.folder, 'sent/given.bin'))).equals(bytes)).toBe(true);
    await wherry.succeed(['files', 'get', '1', 'result.bin', '--remote', '--to', 'there']);
    expect((await readFile(path.join(wherry.folder, 'there/result.bin'))).equals(bytes)).toBe(true);
    expect(await wherry.succeed(['files', 'ls', '1', '--remote'])).toContain('result.bin');

    const again = await wherry.run(['files', 'get', '1']);
    expect(again).toMatchObject({ exitCode: 1, text: '' });
    expect(again.stderr).toContain('exists already');
    await wherry.succeed(['files', 'get', '1', '--force']);
  });

  it('says of a second pass at the same time that another is running', async () => {
    await wherry.succeed(['submit', '--computer', 'localhost', '--', 'true']);
    const { openProfile } = await import('../../../src/engine/profile.js');
    const { claimLease, releaseLease } = await import('../../../src/store/leases.js');
    await using profile = await openProfile({ home: wherry.home });
    const lease = await claimLease(profile.store, 'tick', 'another', Date.now(), 60_000);
    const second = await wherry.run(['tick']);
    expect(second).toMatchObject({ exitCode: 0, text: '' });
    expect(second.stderr).toContain(`another pass is running (pid ${process.pid} on `);
    expect(await wherry.list()).toMatchObject([{ state: 'created' }]);
    if (lease !== undefined) await releaseLease(profile.store, lease);
    await wherry.tickUntilEnded(1);
  });

  it('runs each job once under two ticks at once', async () => {
    await wherry.succeed(['submit', '--computer', 'localhost', '--', 'sh', '-c', 'echo run']);
    const both = await Promise.all([wherry.run(['tick']), wherry.run(['tick'])]);
    expect(both.map(({ exitCode }) => exitCode)).toEqual([0, 0]);
    await wherry.tickUntilEnded(1);
    const details = JSON.parse(await wherry.succeed(['show', '1', '--json'])) as ProcessDetails;
    expect(details.attempts).toHaveLength(1);
    expect(await wherry.succeed(['files', 'cat', '1', 'stdout.txt'])).toBe('run\n');
  });
});

describe('run', () => {
  it('ends with 0 when all went well, with 1 when one failed', async () => {
    const well = await wherry.run(['run', '--computer', 'localhost', '--', 'echo', 'hello']);
    expect(well).toMatchObject({ exitCode: 0 });
    expect(well.text).toContain('finished');
    expect(well.stderr).toContain('wherry files get 1');
    const badly = await wherry.run(['run', '--computer', 'localhost', '--', 'sh', '-c', 'echo no >&2; exit 3']);
    expect(badly).toMatchObject({ exitCode: 1 });
    expect(badly.text).toContain('failed (3)');
    expect(await wherry.succeed(['report', '2'])).toContain('  no');
    expect((await wherry.run(['wait', '1'])).exitCode).toBe(0);
    expect((await wherry.run(['wait', '1', '2'])).exitCode).toBe(1);
  });

  it('stops at the first SIGINT; another driver goes on', async () => {
    let sent = false;
    const words = ['run', '--computer', 'localhost', '--', 'sh', '-c', 'while [ ! -e go ]; do sleep 0.05; done'];
    const outcome = await wherry.run(words, {
      onStderr: (text, kill) => {
        if (sent || !text.includes('waiting update')) return;
        sent = true;
        kill('SIGINT');
      },
    });
    expect(outcome).toMatchObject({ exitCode: 1, signal: null });
    expect(outcome.stderr).toContain('1 process stays stored');
    const [process_] = await wherry.list();
    expect(process_).toMatchObject({ state: 'waiting', stage: 'update' });
    expect((await wherry.run(['wait', '1', '--timeout', '200ms'])).stderr).toContain('nothing drives process 1');
    const { remoteDirectory } = JSON.parse(await wherry.succeed(['show', '1', '--json'])) as ProcessDetails;
    await wherry.write(path.relative(wherry.folder, path.join(remoteDirectory ?? '', 'go')), '');
    expect(await wherry.tickUntilEnded(1)).toMatchObject([{ exitStatus: 0 }]);
  });

  it('ends with the reason when its process is paused', async () => {
    await wherry.write(
      'computer.yaml',
      `label: blocked\ntransport: local\nscheduler: direct\nworkDirectory: ${wherry.folder}/file/work\n`,
    );
    await wherry.write('file', 'stands in the way of the work directory');
    await wherry.succeed(['computer', 'add', '--file', 'computer.yaml']);
    const outcome = await wherry.run(['run', '--computer', 'blocked', '--', 'true']);
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stderr).toContain('process 1 is paused');
    expect(outcome.stderr).toContain('wherry play 1');
    expect(await wherry.succeed(['explain', '1'])).toContain('it is paused');
    expect((await wherry.run(['computer', 'test', 'blocked'])).exitCode).toBe(1);
  });
});

describe('kill', () => {
  it('ends a running and a queued job', async () => {
    await wherry.succeed([
      'computer',
      'edit',
      'localhost',
      '--scheduler-option',
      'slots=1',
      '--limit',
      'minPollInterval=0.1',
    ]);
    for (let job = 0; job < 2; job++) await wherry.succeed(['submit', '--computer', 'localhost', '--', 'sleep', '600']);
    await wherry.succeed(['tick']);
    expect((await wherry.list()).map(({ stage }) => stage)).toEqual(['update', 'update']);
    expect(await wherry.succeed(['kill', '2', '--reason', 'enough'])).toBe('process 2 is killed\n');
    expect(await wherry.succeed(['kill', '--all'])).toBe('process 1 is killed\n');
    expect(await wherry.list()).toMatchObject([{ state: 'killed' }, { state: 'killed', exitMessage: 'enough' }]);
    expect((await wherry.run(['kill', '1'])).stderr).toContain('has ended already');
  });

  it('ends a process that no driver has seen', async () => {
    await wherry.succeed(['submit', '--computer', 'localhost', '--', 'true']);
    expect(await wherry.succeed(['kill', '1'])).toBe('process 1 is killed\n');
  });
});

describe('pause and play', () => {
  it('keeps a process and lets it go on', async () => {
    await wherry.succeed(['submit', '--computer', 'localhost', '--', 'true']);
    await wherry.succeed(['pause', '1', '--reason', 'later']);
    await wherry.succeed(['tick']);
    expect(await wherry.list()).toMatchObject([{ state: 'created', paused: true, pausedReason: 'later' }]);
    await wherry.succeed(['play', '--all']);
    expect(await wherry.tickUntilEnded(1)).toMatchObject([{ exitStatus: 0 }]);
  });
});
