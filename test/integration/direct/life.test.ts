import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import direct from '../../../schedulers/direct/index.js';
import { until } from '../../rigs/until.js';
import { openQueue, type Queue, start } from './queue.js';
import { shells } from './shells.js';

describe.each(shells)('with $name', ({ environment }) => {
  let queue: Queue;
  beforeEach(async () => {
    queue = await openQueue({ environment });
  });
  afterEach(() => queue.close());

  test('a job runs in its directory and is remembered', async () => {
    const job = await queue.submit('echo "$WHERRY_DIRECT_ID"; pwd; echo oops >&2');
    const end = await queue.ended(job.id);
    expect(end).toMatchObject({ id: job.id, name: job.name, state: 'done', word: 'done', exitCode: 0 });
    expect(Date.parse(end.endedAt ?? '')).toBeGreaterThanOrEqual(Date.parse(end.submittedAt ?? ''));
    expect(await readFile(join(job.directory, 'out.txt'), 'utf8')).toBe(`${job.id}\n${job.directory}\n`);
    expect(await readFile(join(job.directory, 'err.txt'), 'utf8')).toBe('oops\n');
  });

  test('an exit code and a signal are kept', async () => {
    const failed = await queue.submit('exit 3');
    const killed = await queue.submit('kill -9 $$');
    expect(await queue.ended(failed.id)).toMatchObject({ state: 'failed', exitCode: 3 });
    expect(await queue.ended(killed.id)).toMatchObject({ state: 'failed', exitCode: 137, signal: 9 });
  });

  test('a job that signals its own group does not hit its wrapper', async () => {
    const job = await queue.submit('trap "" TERM; kill 0; exit 4');
    expect(await queue.ended(job.id)).toMatchObject({ state: 'failed', exitCode: 4 });
  });

  test.each([
    ['blanks and quotes', ` it's "odd" $HOME \`x\` \\ `],
    ['a line break', 'two\nlines'],
    ['other alphabets', 'Áñ漢字Ё\u{1f6f6}'],
    ['a leading dash', '-rf'],
    ['a pattern', '*?[a]'],
  ])('a directory and script named with %s', async (_what, name) => {
    const job = await queue.prepare('pwd', 'odd', name, `${name}.sh`);
    const run = { directory: job.directory, environment };
    const outcome = direct.parseSubmit(await start(queue.submission(job), run).result);
    if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome));
    expect(await queue.ended(outcome.jobId)).toMatchObject({ state: 'done', name: 'odd' });
    expect(await readFile(join(job.directory, 'out.txt'), 'utf8')).toBe(`${job.directory}\n`);
  });

  test('a work directory with an odd name', async () => {
    const workDirectory = join(queue.root, `-a 'b'\n"c" $d\\n Á`);
    const context = { user: 'me', workDirectory, options: {} };
    await mkdir(workDirectory);
    await writeFile(join(workDirectory, 'job.sh'), 'exit 5\n');
    const request = { name: 'x', script: 'job.sh', directory: workDirectory, resources: {}, ...context };
    const outcome = direct.parseSubmit(await start(direct.submit(request), { environment }).result);
    if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome));
    const ids = [outcome.jobId];
    const job = await until(
      async () => {
        const result = await start(direct.list({ ...context, ids }), { environment }).result;
        return [...direct.parseList(result)].find((one) => one.state === 'failed');
      },
      { what: 'the end of the job' },
    );
    expect(job.exitCode).toBe(5);
  });

  test('the environment and umask are those of the submission, whoever starts the job', async () => {
    const first = await queue.submit('sleep 60');
    const job = await queue.prepare('printf "%s|%s|%s\\n" "$COLOUR" "$queue" "$number"; umask; echo "$OTHER"');
    const own = { ...environment, COLOUR: `it's\nred Á`, queue: 'mine', number: '7', first: 'x', PWD: '/' };
    const outcome = direct.parseSubmit(
      await start(
        { ...queue.submission(job), words: ['sh', '-c', 'umask 027; exec "$@"', 'sh', ...queue.submission(job).words] },
        { directory: job.directory, environment: own },
      ).result,
    );
    if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome));
    await queue.kill(first.id);
    await queue.ended(outcome.jobId);
    expect(await readFile(join(job.directory, 'out.txt'), 'utf8')).toBe(`it's\nred Á|mine|7\n0027\n\n`);
  });

  test('the interpreter of the script is used, with its argument', async () => {
    const job = await queue.prepare('');
    await writeFile(join(job.directory, 'job.sh'), '#! /usr/bin/env -S sh -e\n#DIRECT stdout o u t\nfalse\necho no\n');
    const outcome = direct.parseSubmit(await start(queue.submission(job), { environment }).result);
    if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome));
    expect(await queue.ended(outcome.jobId)).toMatchObject({ state: 'failed', exitCode: 1 });
    expect(await readFile(join(job.directory, 'o u t'), 'utf8')).toBe('');
  });

  test('a missing script or directory fails the job with a reason', async () => {
    const job = await queue.prepare('');
    const lacking = await start(queue.submission({ ...job, script: 'none.sh' }), { environment }).result;
    const nowhere = await start(queue.submission({ ...job, directory: `${job.directory}-not` }), { environment })
      .result;
    const ids = [lacking, nowhere].map((result) => {
      const outcome = direct.parseSubmit(result);
      return outcome.kind === 'accepted' ? outcome.jobId : '';
    });
    expect(await queue.ended(ids[0] ?? '')).toMatchObject({
      state: 'failed',
      reason: "the job's script cannot be read",
    });
    expect(await queue.ended(ids[1] ?? '')).toMatchObject({
      state: 'failed',
      reason: "the job's directory cannot be entered",
    });
  });

  test('the walltime is kept, also against SIGTERM', async () => {
    const soft = await queue.submit('sleep 60', { walltime: 1 });
    expect(await queue.ended(soft.id)).toMatchObject({ state: 'timeout', reason: 'the walltime is over', walltime: 1 });
    const hard = await queue.submit('trap "" TERM; while :; do sleep 1; done', { walltime: 1 });
    expect(await queue.ended(hard.id)).toMatchObject({ state: 'timeout', signal: 9 });
  }, 20_000);

  test('find knows a job by its exact name wherever it is', async () => {
    const done = await queue.submit('true');
    await queue.ended(done.id);
    const running = await queue.submit('sleep 60');
    const waiting = await queue.submit('true');
    expect(await queue.find(done.name)).toMatchObject([{ id: done.id, state: 'done' }]);
    expect(await queue.find(running.name)).toMatchObject([{ id: running.id, state: 'running' }]);
    expect(await queue.find(waiting.name)).toMatchObject([{ id: waiting.id, state: 'queued' }]);
    expect(await queue.find('job')).toEqual([]);
    const { words, stdin } =
      direct.accounting?.({ ...queue.context, ids: [done.id, running.id, '99.0'], since: 0 }) ?? {};
    if (!words) throw new Error('no accounting');
    const records = [...direct.parseList(await start({ words, stdin: stdin ?? '' }, { environment }).result)];
    expect(records.map((job) => job.id)).toEqual([done.id]);
  });
});
