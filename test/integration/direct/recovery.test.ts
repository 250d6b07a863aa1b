import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import direct from '../../../schedulers/direct/index.js';
import { until } from '../../rigs/until.js';
import { alive, endGroup, readPid } from './processes.js';
import { openQueue, type Queue, start } from './queue.js';
import { shells } from './shells.js';

describe.each(shells)('with $name', ({ environment }) => {
  let queue: Queue;
  beforeEach(async () => {
    queue = await openQueue({ environment });
  });
  afterEach(() => queue.close());

  const recordOf = (id: string) => join(queue.state, 'running', String(Number.parseInt(id, 10)));

  test('a wrapper that was killed is reported, its job ended, and the queue goes on', async () => {
    const job = await queue.submit('echo $$ >pid; sleep 60');
    const next = await queue.submit('true');
    const pid = await readPid(join(job.directory, 'pid'));
    process.kill(Number((await queue.runningFields(job.id))[5]), 'SIGKILL');
    expect(await queue.ended(job.id)).toMatchObject({
      state: 'failed',
      word: 'lost',
      reason: "the job's process is gone without a record",
    });
    expect(await alive(pid)).toBe(false);
    expect(await queue.ended(next.id)).toMatchObject({ state: 'done' });
  });

  test('a reused process number is neither counted nor killed', async () => {
    const job = await queue.submit('sleep 60');
    const fields = await queue.runningFields(job.id);
    const other = start({ words: ['sleep', '60'] }, { detached: true });
    process.kill(Number(fields[5]), 'SIGKILL');
    fields[5] = String(other.child.pid);
    fields[6] = String(Number(fields[6]) - 1);
    await writeFile(recordOf(job.id), `${fields.slice(0, 8).join('\t')}\nleader\t${other.child.pid}\t1\n`);
    const next = await queue.submit('true');
    await queue.kill(job.id);
    expect(await queue.ended(job.id)).toMatchObject({ word: 'lost' });
    expect(await queue.ended(next.id)).toMatchObject({ state: 'done' });
    expect(other.child.exitCode ?? other.child.signalCode).toBeNull();
    other.child.kill();
    await other.result;
  });

  test('a restart of the computer is a failure of the node', async () => {
    const job = await queue.submit('sleep 60');
    const fields = await queue.runningFields(job.id);
    const wrapper = Number(fields[5]);
    fields[4] = '00000000-0000-0000-0000-000000000000';
    await writeFile(recordOf(job.id), `${fields.slice(0, 8).join('\t')}\n`);
    expect(await queue.ended(job.id)).toMatchObject({
      state: 'node-failure',
      reason: 'the computer was restarted while the job ran',
    });
    expect(await alive(wrapper)).toBe(true);
    process.kill(wrapper, 'SIGTERM');
    await until(async () => !(await alive(wrapper)), { what: 'the end of the wrapper' });
  });

  test('a job of another computer that shares the directory is left alone', async () => {
    const job = await queue.submit('sleep 60');
    const fields = await queue.runningFields(job.id);
    const host = fields[3] ?? '';
    const write = (name: string) => {
      fields[3] = name;
      return writeFile(recordOf(job.id), `${fields.slice(0, 8).join('\t')}\n`);
    };
    await write('another');
    expect(await queue.show(job.id)).toMatchObject({
      state: 'running',
      reason: `it was started on another and cannot be watched from ${host}`,
    });
    await expect(queue.kill(job.id)).rejects.toMatchObject({ code: 'command-failed', transient: false });
    await write(host);
  });

  test('a record that was cut off while it was written is of a job that never ran', async () => {
    const first = await queue.submit('sleep 60');
    const second = await queue.submit('true');
    await writeFile(recordOf(second.id), '2.ab');
    await queue.kill(first.id);
    expect(await queue.ended(second.id)).toMatchObject({ state: 'done' });
  });

  test('an unreadable sequence does not repeat a number', async () => {
    const first = await queue.submit('true');
    await queue.ended(first.id);
    await writeFile(join(queue.state, 'sequence'), '');
    const second = await queue.submit('true');
    expect(Number.parseInt(second.id, 10)).toBe(1000);
    expect(await queue.ended(second.id)).toMatchObject({ state: 'done' });
    expect(await queue.ended(first.id)).toMatchObject({ state: 'done' });
  });

  test('submitters killed at any moment leave a queue that goes on', async () => {
    const names: string[] = [];
    for (let round = 0; round < 40; round++) {
      const job = await queue.prepare('echo x >>ran');
      names.push(job.name);
      const submitting = start(queue.submission(job), { directory: job.directory, environment, detached: true });
      await delay(round / 2);
      endGroup(submitting.child);
      await submitting.result;
    }
    const last = await queue.submit('true');
    await queue.ended(last.id);
    for (const name of names) {
      const found = await queue.find(name);
      const ran = await readFile(join(queue.workDirectory, name, 'ran'), 'utf8').catch(() => '');
      expect(found.length).toBeLessThanOrEqual(1);
      expect({ name, state: found[0]?.state, ran }).toEqual(
        found.length ? { name, state: 'done', ran: 'x\n' } : { name, state: undefined, ran: '' },
      );
    }
    expect(await readdir(join(queue.state, 'running'))).toEqual([]);
    expect(await readdir(join(queue.state, 'queued'))).toEqual([]);
  }, 30_000);

  test('a job survives the end of the process group that submitted it', async () => {
    const job = await queue.prepare('echo $$ >pid; sleep 0.5; echo done >after');
    const submission = queue.submission(job);
    const words = ['sh', '-c', '"$@"; sleep 60', 'sh', ...submission.words] as const;
    const submitting = start({ words }, { directory: job.directory, environment, detached: true });
    await readPid(join(job.directory, 'pid'));
    endGroup(submitting.child);
    const outcome = direct.parseSubmit({ ...(await submitting.result), exitCode: 0 });
    if (outcome.kind !== 'accepted') throw new Error(JSON.stringify(outcome));
    expect(await queue.ended(outcome.jobId)).toMatchObject({ state: 'done' });
    expect(await readFile(join(job.directory, 'after'), 'utf8')).toBe('done\n');
  });

  test('a job holds nothing of the command that submitted it', async () => {
    const job = await queue.submit('ls -l /proc/self/fd >fds; sleep 60');
    const { wrapper, fds } = await until(
      async () => {
        const text = await readFile(join(job.directory, 'fds'), 'utf8').catch(() => '');
        return text.includes(' 2 ->') && { fds: text, wrapper: Number((await queue.runningFields(job.id))[5]) };
      },
      { what: 'the list of descriptors' },
    );
    expect(fds).not.toMatch(/ [4-9] -> | 3 -> (?!\/proc)/);
    expect(fds).not.toContain('socket:');
    expect(fds).toMatch(/ 0 -> \/dev\/null/);
    const held = await readdir(`/proc/${wrapper}/fd`);
    expect(held).not.toContain('9');
  });

  test('a hung holder of the lock makes commands give up', async () => {
    const first = await queue.submit('true');
    await queue.ended(first.id);
    const holder = start({
      words: ['flock', join(queue.state, 'lock'), 'sh', '-c', 'echo $$ >"$0"; exec sleep 60', join(queue.root, 'held')],
    });
    await readPid(join(queue.root, 'held'));
    const job = await queue.prepare('true');
    const submitting = start(queue.submission(job), { environment });
    const waited = await Promise.race([submitting.result, delay(6000)]);
    process.kill(await readPid(join(queue.root, 'held')), 'SIGKILL');
    await holder.result;
    await submitting.result;
    if (waited) expect(direct.parseSubmit(waited)).toMatchObject({ kind: 'refused', reason: 'transient' });
    else expect(environment.PATH).toContain('busybox');
  }, 15_000);
});
