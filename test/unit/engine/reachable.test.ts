import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { borrow } from '../../../src/engine/computer-access.js';
import { Engine } from '../../../src/engine/engine.js';
import { boundToHost, localhost } from '../../../src/engine/localhost.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let rig: TestProfile;
beforeEach(async () => {
  rig = await startProfile();
});
afterEach(() => rig[Symbol.asyncDispose]());

const local = (label: string, host: string) =>
  rig.addComputer({
    label,
    transport: 'local',
    connection: { host },
    scheduler: 'direct',
    workDirectory: `${rig.directory}/${label}`,
  });

describe('a computer that is one machine of several', () => {
  it('is driven from there only, whoever else shares the profile', async () => {
    const [here, there] = [await local('here', hostname()), await local('there', 'another-host')];
    const own = await rig.submit(here, { command: ['true'] });
    const other = await rig.submit(there, { command: ['true'] });
    expect((await rig.drive([own]))[0]).toMatchObject({ state: 'finished', exit_status: 0 });
    await using engine = new Engine(rig.profile);
    await engine.pass(AbortSignal.timeout(10_000));
    expect(await rig.row(other.id)).toMatchObject({ state: 'created', stage: 'upload', attempts: 0, last_error: null });
    const row = await rig.profile.store
      .selectFrom('computers')
      .selectAll()
      .where('id', '=', there.id)
      .executeTakeFirst();
    expect(row).toMatchObject({ hold: null, opened_at: null });
  });

  it('is not spoken to by a command on another host either', async () => {
    const there = await local('there', 'another-host');
    const use = borrow(rig.profile.store, there)(AbortSignal.timeout(10_000), async () => 'spoken');
    await expect(use).rejects.toThrow('there can be reached from another-host only');
  });

  it('is bound to the host on which it was added where hosts may share the profile', () => {
    const { location } = rig.profile;
    expect(localhost(location, {}).connection).toEqual({});
    expect(localhost(location, { store: 'postgres://db/w' }).connection).toEqual({ host: hostname() });
    const named = { ...localhost(location, {}), connection: { host: 'chosen' } };
    expect(boundToHost(named, { store: 'postgres://db/w' })).toBe(named);
  });
});
