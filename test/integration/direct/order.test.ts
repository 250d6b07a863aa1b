import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import direct from '../../../schedulers/direct/index.js';
import { until } from '../../rigs/until.js';
import { openQueue, type Queue, start } from './queue.js';
import { shells } from './shells.js';

describe.each(shells)('with $name', ({ environment }) => {
  let queue: Queue;
  afterEach(() => queue.close());

  test('one slot: first in, first out', async () => {
    queue = await openQueue({ environment });
    const jobs = [];
    for (let count = 0; count < 12; count++) jobs.push(await queue.submit(`echo ${count} >>../order`));
    await Promise.all(jobs.map((job) => queue.ended(job.id)));
    const order = await readFile(join(queue.workDirectory, 'order'), 'utf8');
    expect(order.trim().split('\n').map(Number)).toEqual(jobs.map((_, index) => index));
    expect(new Set(jobs.map((job) => job.id)).size).toBe(12);
  });

  test('50 jobs of 8 submitters at once never use more than 3 slots', async () => {
    queue = await openQueue({ slots: 3, environment });
    // Each job counts who runs beside it by the marks that they make and remove.
    const body = 'd=../marks; mkdir -p $d; : >$d/$$; ls $d | wc -l >>../counts; sleep 0.02; rm $d/$$';
    const ids: string[] = [];
    const submitter = async (many: number) => {
      for (let count = 0; count < many; count++) ids.push((await queue.submit(body)).id);
    };
    await Promise.all([7, 7, 6, 6, 6, 6, 6, 6].map(submitter));
    const ended = await until(
      async () => {
        const jobs = (await queue.list(ids)).filter((job) => job.state === 'done');
        return jobs.length === 50 && jobs;
      },
      { what: 'the end of 50 jobs', timeout: 30_000 },
    );
    expect(new Set(ended.map((job) => job.id)).size).toBe(50);
    const counts = (await readFile(join(queue.workDirectory, 'counts'), 'utf8')).trim().split('\n').map(Number);
    expect(counts).toHaveLength(50);
    expect(Math.max(...counts)).toBeLessThanOrEqual(3);
  }, 40_000);

  test('a wide job at the head is waited for and not overtaken', async () => {
    queue = await openQueue({ slots: 3, environment });
    const first = await queue.submit('sleep 60', { tasksPerNode: 2 });
    const wide = await queue.submit('sleep 60', { tasksPerNode: 1, cpusPerTask: 3 });
    const narrow = await queue.submit('true');
    expect(await queue.stateOf(narrow.id)).toBe('queued');
    await queue.kill(first.id);
    await until(async () => (await queue.stateOf(wide.id)) === 'running', { what: 'the wide job' });
    expect(await queue.stateOf(narrow.id)).toBe('queued');
    await queue.kill(wide.id);
    expect(await queue.ended(narrow.id)).toMatchObject({ state: 'done' });
  });

  test('a job that is too wide is refused for good', async () => {
    queue = await openQueue({ slots: 3, environment });
    const job = await queue.prepare('true');
    const result = await start(queue.submission(job, { tasksPerNode: 4 }), { environment }).result;
    expect(direct.parseSubmit(result)).toEqual({
      kind: 'refused',
      reason: 'permanent',
      message: 'the job asks for 4 slots, this computer has 3',
    });
    expect(await queue.list()).toEqual([]);
  });

  test('without the option there are as many slots as processors', async () => {
    queue = await openQueue({ environment });
    const job = await queue.prepare('true');
    const request = { ...job, resources: { tasksPerNode: 100_000 }, workDirectory: queue.workDirectory, options: {} };
    const outcome = direct.parseSubmit(await start(direct.submit(request), { environment }).result);
    expect(outcome).toMatchObject({ kind: 'refused', reason: 'permanent' });
    expect(outcome.kind === 'refused' && Number(/has (\d+)$/.exec(outcome.message)?.[1])).toBeGreaterThan(0);
  });

  test('a removed queue repeats no id', async () => {
    queue = await openQueue({ environment });
    const before = await queue.submit('true');
    await queue.ended(before.id);
    await rm(queue.state, { recursive: true });
    expect(await queue.list([before.id])).toEqual([]);
    const after = await queue.submit('true');
    await queue.ended(after.id);
    expect(Number.parseInt(after.id, 10)).toBe(1);
    expect(after.id).not.toBe(before.id);
    expect(await queue.show(before.id)).toBeUndefined();
  });

  test('200 jobs pass through', async () => {
    queue = await openQueue({ slots: 4, environment });
    const ids: string[] = [];
    for (let count = 0; count < 200; count++) ids.push((await queue.submit('true')).id);
    await until(async () => (await queue.list(ids)).every((job) => job.state === 'done'), {
      what: 'the end of 200 jobs',
      timeout: 60_000,
    });
    expect(await queue.list(ids)).toHaveLength(200);
  }, 90_000);
});
