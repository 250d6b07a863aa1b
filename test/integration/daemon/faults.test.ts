import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from '@photostructure/sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openProfile } from '../../../src/engine/profile.js';
import type { ProcessDetails } from '../../../src/engine/views.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, pidOf, startDaemonRig } from './rig.js';

let rig: DaemonRig;
beforeEach(async () => {
  rig = await startDaemonRig();
});
afterEach(() => rig[Symbol.asyncDispose]());

describe('a worker that is killed', () => {
  it('is started again, and its jobs end, each after one run', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start', '--workers', '2']);
    const before = await rig.ready(2);
    const blocked = await rig.submitBlocked();
    for (const worker of before) process.kill(pidOf(worker), 'SIGKILL');
    await blocked.release();
    await until(async () => (await rig.status()).workers.every(({ restarts }) => restarts === 1), {
      what: 'the restarts',
    });
    const after = await rig.ready(2);
    expect(after.map(({ lastEnd }) => lastEnd?.signal)).toEqual(['SIGKILL', 'SIGKILL']);
    expect((await rig.status()).breaker).toBeNull();
    await wherry.succeed(['wait', '1', '--timeout', '60s']);
    expect(await wherry.succeed(['files', 'cat', '1', 'stdout.txt'])).toBe('run\n');
    const details = JSON.parse(await wherry.succeed(['show', '1', '--json'])) as ProcessDetails;
    expect(details.attempts).toHaveLength(1);
  });
});

describe('a supervisor that is killed', () => {
  it('takes its workers with it, and another can start at once', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start', '--workers', '2']);
    const { pid, workers } = await rig.status();
    const blocked = await rig.submitBlocked();
    process.kill(pid, 'SIGKILL');
    await Promise.all([pid, ...workers.map(pidOf)].map(rig.ended));
    expect((await wherry.run(['daemon', 'status'])).exitCode).toBe(1);
    expect(await wherry.succeed(['daemon', 'start'])).toContain('running with 1 worker');
    await rig.status();
    await blocked.release();
    await wherry.succeed(['wait', '1', '--timeout', '60s']);
    expect(await wherry.succeed(['files', 'cat', '1', 'stdout.txt'])).toBe('run\n');
  });
});

describe('a supervisor that is stopped and does not answer', () => {
  it('is told of by status, and ended by stop', async () => {
    const { wherry } = rig;
    await wherry.succeed(['daemon', 'start', '--workers', '2']);
    const { pid, workers } = await rig.status();
    process.kill(pid, 'SIGSTOP');
    const shown = await wherry.run(['daemon', 'status', '--json']);
    expect(shown.exitCode).toBe(1);
    expect(JSON.parse(shown.text)).toMatchObject({ running: true, answers: false });
    expect(shown.stderr).toContain(`the daemon (pid ${pid}) does not answer`);
    const stopped = await wherry.run(['daemon', 'stop', '--timeout', '15s']);
    expect(stopped).toMatchObject({ exitCode: 0, text: 'daemon stopped\n' });
    expect(stopped.stderr).toContain(`its supervisor (pid ${pid}) has ended by SIGTERM`);
    await Promise.all([pid, ...workers.map(pidOf)].map(rig.ended));
    expect((await wherry.run(['daemon', 'status'])).stderr).toContain('wherry daemon start');
  });
});

describe('a worker that sleeps past its lease', () => {
  it('writes nothing when it wakes up', async () => {
    const { wherry, directory } = rig;
    await wherry.succeed(['daemon', 'start']);
    const [worker] = await rig.ready(1);
    const blocked = await rig.submitBlocked();
    const file = path.join(directory, 'store.sqlite');
    await until(() => stopOutsideTransaction(pidOf(worker), file), { what: 'a stop between two transactions' });
    await using profile = await openProfile({ home: wherry.home });
    const { store } = profile;
    const held = await store
      .selectFrom('leases')
      .selectAll()
      .where('name', 'like', 'computer:%')
      .executeTakeFirstOrThrow();
    expect(held.pid).toBe(worker?.pid);
    // Its lease is over, as it will be by itself after half a minute.
    await store.updateTable('leases').set({ expires_at: 1 }).where('name', '=', held.name).execute();
    await blocked.release();
    await wherry.tickUntilEnded(1);
    const events = () => store.selectFrom('events').selectAll().where('process_id', '=', 1).execute();
    const row = () => store.selectFrom('processes').selectAll().where('id', '=', 1).executeTakeFirstOrThrow();
    const [eventsBefore, rowBefore] = [await events(), await row()];
    expect(rowBefore.state).toBe('finished');

    process.kill(pidOf(worker), 'SIGCONT');
    const wokenAt = Date.now();
    // Two heartbeats of its loop lie behind it: what it meant to write it has tried to.
    await until(
      async () => {
        const [now] = (await rig.status()).workers;
        return now?.pid === worker?.pid && Date.parse(now?.heartbeatAt ?? '') > wokenAt + 2_000;
      },
      { what: 'heartbeats after the sleep', timeout: 20_000 },
    );
    expect(await row()).toEqual(rowBefore);
    expect(await events()).toEqual(eventsBefore);
    const lease = await store.selectFrom('leases').selectAll().where('name', '=', held.name).executeTakeFirstOrThrow();
    expect(lease.epoch).toBeGreaterThan(held.epoch);
    expect(lease.owner).not.toBe(held.owner);

    // It goes on with what comes next.
    await wherry.succeed(['submit', '--computer', 'localhost', '--', 'echo', 'next']);
    await wherry.succeed(['wait', '2', '--timeout', '60s']);
    expect(pidOf((await rig.status()).workers[0])).toBe(worker?.pid);
  });
});

describe('workers that end again and again', () => {
  it('are left alone for a while, and status says why', async () => {
    const { wherry, directory } = rig;
    await wherry.succeed(['daemon', 'start']);
    const [worker] = await rig.ready(1);
    const files = ['', '-wal', '-shm'].map((ending) => path.join(directory, `store.sqlite${ending}`));
    process.kill(pidOf(worker), 'SIGSTOP');
    for (const file of files) await rm(file, { force: true });
    await writeFile(files[0] ?? '', 'this is no database at all, whatever its name says');
    process.kill(pidOf(worker), 'SIGKILL');
    const breaker = await until(async () => (await rig.status()).breaker, { what: 'the breaker', timeout: 60_000 });
    expect(breaker.reason).toContain('file is not a database');
    const shown = await wherry.run(['daemon', 'status']);
    expect(shown.exitCode).toBe(0);
    expect(shown.text).toContain('no worker is started until');
    expect(shown.text).toContain('file is not a database');
    expect((await wherry.run(['daemon', 'scale', '2'])).stderr).toContain('no worker is started until');

    for (const file of files) await rm(file, { force: true });
    expect(await wherry.succeed(['daemon', 'restart'])).toContain('with 2 workers');
    await rig.ready(2);
  });
});

/** Stops a program; lets it go on again when it has the write lock of the database, which nobody else would get. */
function stopOutsideTransaction(pid: number, file: string): boolean {
  process.kill(pid, 'SIGSTOP');
  const database = new DatabaseSync(file);
  try {
    database.exec('pragma busy_timeout = 0');
    database.exec('begin immediate');
    database.exec('rollback');
    return true;
  } catch {
    process.kill(pid, 'SIGCONT');
    return false;
  } finally {
    database.close();
  }
}
