import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../rigs/until.js';
import { alive, readPid } from './processes.js';
import { openQueue, type Queue } from './queue.js';
import { shells } from './shells.js';

describe.each(shells)('with $name', ({ environment }) => {
  let queue: Queue;
  beforeEach(async () => {
    queue = await openQueue({ environment });
  });
  afterEach(() => queue.close());

  test('a queued job is cancelled and never runs', async () => {
    const first = await queue.submit('sleep 60');
    const second = await queue.submit('touch ran');
    await queue.kill(second.id);
    expect(await queue.show(second.id)).toMatchObject({ state: 'cancelled', name: second.name });
    await queue.kill(first.id);
    expect(await queue.ended(first.id)).toMatchObject({ state: 'cancelled' });
    await expect(readFile(join(second.directory, 'ran'))).rejects.toThrow('ENOENT');
  });

  test('the whole tree of a running job dies, with whoever left its session and ignores SIGTERM', async () => {
    const stubborn = `trap "" TERM; echo $$ >stubborn; while :; do sleep 1; done`;
    const cleaned = `trap "" TERM; echo $$ >cleaned; while :; do sleep 1; done`;
    const job = await queue.submit(
      [
        `setsid sh -c '${stubborn}' &`,
        `env -u WHERRY_DIRECT_ID setsid sh -c '${cleaned}' &`,
        `(setsid sh -c 'echo $$ >orphan; exec sleep 60' &)`,
        'sleep 60',
      ].join('\n'),
    );
    const pids = await Promise.all(['stubborn', 'cleaned', 'orphan'].map((name) => readPid(join(job.directory, name))));
    const began = Date.now();
    await queue.kill(job.id);
    await queue.kill(job.id);
    expect(Date.now() - began).toBeLessThan(4000);
    expect(await queue.ended(job.id)).toMatchObject({ state: 'cancelled' });
    for (const pid of pids) expect(await alive(pid)).toBe(false);
  }, 20_000);

  test('a stopped job dies too', async () => {
    const job = await queue.submit('echo $$ >pid; kill -STOP $$');
    await readPid(join(job.directory, 'pid'));
    await queue.kill(job.id);
    expect(await queue.ended(job.id)).toMatchObject({ state: 'cancelled' });
  });

  test('killing what has ended, what never was and nothing at all is no error', async () => {
    await queue.kill('1.0');
    const job = await queue.submit('true');
    await queue.ended(job.id);
    await queue.kill(job.id, '77.abcdef01', '', '../x', '-1');
    await queue.kill();
    expect(await queue.show(job.id)).toMatchObject({ state: 'done' });
  });

  test('a job that ignores the end of the command that submitted it', async () => {
    const job = await queue.submit('sleep 0.3; echo here >after');
    expect(await queue.ended(job.id)).toMatchObject({ state: 'done' });
    expect(await readFile(join(job.directory, 'after'), 'utf8')).toBe('here\n');
  });

  test('background processes end with their job', async () => {
    const job = await queue.submit('sleep 60 & echo $! >pid');
    expect(await queue.ended(job.id)).toMatchObject({ state: 'done' });
    const pid = await readPid(join(job.directory, 'pid'));
    expect(await until(async () => !(await alive(pid)), { what: 'the end of the background process' })).toBe(true);
  });
});
