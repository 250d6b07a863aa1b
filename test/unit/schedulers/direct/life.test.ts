import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openQueue, type Queue } from './queue.js';

let queue: Queue;
beforeEach(async () => {
  queue = await openQueue();
});
afterEach(() => queue.close());

test('a job runs in its directory and is remembered', async () => {
  const job = await queue.submit('echo "$WHERRY_DIRECT_ID"; pwd; echo oops >&2');
  const end = await queue.ended(job.id);
  expect(end).toMatchObject({ id: job.id, name: job.name, state: 'done', word: 'done', exitCode: 0 });
  expect(await readFile(join(job.directory, 'out.txt'), 'utf8')).toBe(`${job.id}\n${job.directory}\n`);
  expect(await readFile(join(job.directory, 'err.txt'), 'utf8')).toBe('oops\n');
});
