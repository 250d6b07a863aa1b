import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openProfile } from '../../../src/engine/profile.js';
import type { CheckResult } from '../../../src/engine/test-computer.js';
import { claimLease } from '../../../src/store/leases.js';
import { type CommandLine, startCommandLine } from '../../rigs/command-line.js';

let wherry: CommandLine;
beforeEach(async () => {
  wherry = await startCommandLine();
});
afterEach(() => wherry[Symbol.asyncDispose]());

describe('computer test', () => {
  it('lifts a hold when everything works, and run ends while it is on', async () => {
    await using profile = await openProfile({ home: wherry.home });
    const hold = JSON.stringify({ code: 'authentication-refused', message: 'the key was refused', since: Date.now() });
    await profile.store
      .updateTable('computers')
      .set({ hold, open_failures: 2, open_after: Date.now() + 600_000 })
      .execute();
    const run = await wherry.run(['run', '--computer', 'localhost', '--', 'true']);
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain('waits for localhost, which is held: the key was refused');
    expect(run.stderr).toContain('wherry computer test localhost');
    expect(await wherry.succeed(['computer', 'list'])).toContain('held (authentication-refused)');

    expect(await wherry.succeed(['computer', 'test', 'localhost'])).toMatch(/^ok .*connection/m);
    const row = await profile.store.selectFrom('computers').selectAll().executeTakeFirstOrThrow();
    expect(row).toMatchObject({ hold: null, open_failures: 0, open_after: null });
    const events = await profile.store.selectFrom('events').select('type').where('computer_id', '=', row.id).execute();
    expect(events.map(({ type }) => type)).toContain('computer.released');
    expect(await wherry.tickUntilEnded(1)).toMatchObject([{ exitStatus: 0 }]);
  });

  it('does not speak to a computer that a driver holds', async () => {
    await using profile = await openProfile({ home: wherry.home });
    const computer = await profile.store.selectFrom('computers').selectAll().executeTakeFirstOrThrow();
    await claimLease(profile.store, `computer:${computer.id}`, 'another', Date.now(), 60_000);
    const outcome = await wherry.run(['computer', 'test', 'localhost']);
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stderr).toContain(`another driver (pid ${process.pid} on `);
  });

  it('names what fails with what to do', async () => {
    const words = ['--transport', 'local', '--scheduler', 'slurm', '--work-directory', '/proc/nowhere'];
    await wherry.succeed(['computer', 'add', 'odd', ...words]);
    const outcome = await wherry.run(['computer', 'test', 'odd', '--json'], { environment: { PATH: '/usr/bin:/bin' } });
    expect(outcome.exitCode).toBe(1);
    const checks = JSON.parse(outcome.text) as CheckResult[];
    expect(checks.find(({ name }) => name === 'connection')).toMatchObject({ ok: true });
    expect(checks.find(({ name }) => name === 'work directory')).toMatchObject({
      ok: false,
      detail: '/proc/nowhere cannot be made or written',
      hint: 'choose another: wherry computer edit odd --work-directory DIR',
    });
  });
});
