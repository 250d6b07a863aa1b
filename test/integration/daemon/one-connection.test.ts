import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { computerSchema } from '../../../src/config/computer.js';
import { addComputer } from '../../../src/engine/computers.js';
import { openProfile, type Profile } from '../../../src/engine/profile.js';
import type { CheckResult } from '../../../src/engine/test-computer.js';
import { type Sshd, startSshd } from '../../rigs/sshd.js';
import { until } from '../../rigs/until.js';
import { type DaemonRig, startDaemonRig } from './rig.js';

let sshd: Sshd;
let rig: DaemonRig;
let profile: Profile;
beforeEach(async () => {
  sshd = await startSshd();
  rig = await startDaemonRig();
  profile = await openProfile({ home: rig.wherry.home });
  const config = {
    label: 'remote',
    transport: 'ssh',
    connection: { ...sshd.connection },
    scheduler: 'direct',
    workDirectory: '{home}/wherry',
    limits: { minPollInterval: 0.5, safeOpenInterval: 0 },
  };
  await addComputer(profile.store, computerSchema.parse(config));
});
afterEach(async () => {
  await profile[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
  await sshd[Symbol.asyncDispose]();
});

const logins = () => sshd.log().split('Accepted publickey').length - 1;

/** A job that runs as long as its computer is there, driven by a daemon that holds the computer. */
async function heldByDaemon(workers = 1): Promise<void> {
  const { wherry } = rig;
  await wherry.succeed(['daemon', 'start', '--workers', String(workers)]);
  const script = 'echo some text > notes; mkdir deep; echo below > deep/er; while [ -d "$HOME" ]; do sleep 0.1; done';
  await wherry.succeed(['submit', '--computer', 'remote', '--', 'sh', '-c', script]);
  const notes = async () => {
    const { remote_directory } = await profile.store.selectFrom('processes').selectAll().executeTakeFirstOrThrow();
    return remote_directory !== null && readFile(path.join(remote_directory, 'deep/er')).catch(() => false);
  };
  await until(notes, { what: 'files of the job', timeout: 60_000 });
}

describe('while the daemon holds a computer', () => {
  it('files --remote and computer test go over its connection, and no other is opened', async () => {
    const { wherry } = rig;
    await heldByDaemon(2);
    expect(logins()).toBe(1);
    const listed = JSON.parse(await wherry.succeed(['files', 'ls', '1', '--remote', '--json'])) as { path: string }[];
    expect(listed.map((entry) => entry.path)).toEqual(expect.arrayContaining(['notes', 'deep/er']));
    expect(await wherry.succeed(['files', 'cat', '1', 'notes', '--remote'])).toBe('some text\n');
    await wherry.succeed(['files', 'get', '1', 'deep', '--remote', '--to', 'brought']);
    expect(await readFile(path.join(wherry.folder, 'brought/deep/er'), 'utf8')).toBe('below\n');
    const missing = await wherry.run(['files', 'cat', '1', 'nothing', '--remote']);
    expect(missing.exitCode).toBe(1);
    expect(missing.stderr).toContain('nothing');
    expect((await wherry.run(['files', 'cat', '1', '../1', '--remote'])).exitCode).toBe(2);
    const checks = JSON.parse(await wherry.succeed(['computer', 'test', 'remote', '--json'])) as CheckResult[];
    expect(checks.map(({ name }) => name).slice(0, 2)).toEqual(['configuration', 'connection']);
    expect(checks.every(({ ok }) => ok)).toBe(true);
    expect(logins()).toBe(1);
    const shown = await wherry.succeed(['computer', 'test', 'remote']);
    expect(shown.split('\n').filter((line) => /^ok {4}(configuration|connection) /.test(line))).toHaveLength(2);
  });

  it('computer test lifts the hold of a refused login', async () => {
    const { wherry } = rig;
    await heldByDaemon();
    const hold = JSON.stringify({ code: 'authentication-refused', message: 'the key was refused', since: Date.now() });
    await profile.store
      .updateTable('computers')
      .set({ hold, open_after: Date.now() + 600_000 })
      .execute();
    await until(
      async () =>
        (await profile.store.selectFrom('events').select('id').where('type', '=', 'computer.closed').execute()).length >
        0,
      {
        what: 'the end of the connection of a computer that is held',
        timeout: 30_000,
      },
    );
    await wherry.succeed(['computer', 'test', 'remote']);
    const row = await profile.store
      .selectFrom('computers')
      .selectAll()
      .where('label', '=', 'remote')
      .executeTakeFirst();
    expect(row).toMatchObject({ hold: null, open_after: null, open_failures: 0 });
    expect(logins()).toBe(2);
  });

  it('a worker that dies meanwhile is no error: the next holder answers', async () => {
    const { wherry } = rig;
    await heldByDaemon(2);
    await sshd.freeze(true);
    const socket = path.join(rig.directory, 'broker.sock');
    const connected = async () => (await readFile('/proc/net/unix', 'utf8')).split(socket).length - 1;
    const before = await connected();
    const listing = wherry.run(['files', 'ls', '1', '--remote', '--json']);
    // The command that waits for its answer.
    await until(async () => (await connected()) > before, { what: 'the question', timeout: 30_000 });
    const lease = await profile.store
      .selectFrom('leases')
      .selectAll()
      .where('name', 'like', 'computer:%')
      .where('owner', '!=', '')
      .executeTakeFirstOrThrow();
    process.kill(lease.pid, 'SIGKILL');
    await sshd.freeze(false);
    const outcome = await listing;
    expect(outcome.stderr).toBe('');
    expect(outcome.exitCode).toBe(0);
  });
});
