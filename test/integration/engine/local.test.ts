import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComputerRow } from '../../../src/store/tables.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

describe('the life cycle on local and direct', () => {
  let rig: TestProfile;
  let localhost: ComputerRow;

  beforeAll(async () => {
    rig = await startProfile();
    localhost = await rig.profile.store.selectFrom('computers').selectAll().executeTakeFirstOrThrow();
  });
  afterAll(() => rig[Symbol.asyncDispose]());

  it('runs a command and brings its output', async () => {
    const row = await rig.submit(localhost, { command: ['echo', 'hello $(id) `id`'] });
    const [ended] = await rig.drive([row]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 0 });
    expect(await rig.output(row.id, 'stdout.txt')).toBe('hello $(id) `id`\n');
  });

  it('tells exit code 3', async () => {
    const row = await rig.submit(localhost, { command: ['sh', '-c', 'exit 3'] });
    const [ended] = await rig.drive([row]);
    expect(ended).toMatchObject({ state: 'finished', exit_status: 3 });
  });
});
