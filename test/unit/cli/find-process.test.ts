import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findProcess, findProcesses } from '../../../src/cli/find-process.js';
import { startProfile, type TestProfile } from '../../rigs/profile.js';

let test: TestProfile;
const uuids = [
  '11112222-0000-4000-8000-000000000001',
  'abcd1111-0000-4000-8000-000000000002',
  'abcd2222-0000-4000-8000-000000000003',
];
beforeEach(async () => {
  test = await startProfile();
  const { store } = test.profile;
  const computer = await store.selectFrom('computers').selectAll().executeTakeFirstOrThrow();
  for (const uuid of uuids) {
    const { id } = await test.submit(computer, { command: ['true'] });
    await store.updateTable('processes').set({ uuid }).where('id', '=', id).execute();
  }
});
afterEach(() => test[Symbol.asyncDispose]());

describe('findProcess', () => {
  it.each([
    ['1', 1],
    ['3', 3],
    ['1111', 1],
    ['abcd1', 2],
    ['ABCD2222', 3],
    ['abcd2222-0000-4000-8000-000000000003', 3],
  ])('finds %s', async (text, id) => {
    expect((await findProcess(test.profile.store, text)).id).toBe(id);
  });

  it.each([
    ['4', 'not-found', 'there is no process 4'],
    ['9999', 'not-found', 'there is no process 9999'],
    ['beef', 'not-found', 'there is no process beef'],
    ['abcd', 'bad-input', 'means several processes: 2 (abcd1111-0000-4000-8000-000000000002), 3 ('],
    ['abc', 'bad-input', '"abc" is no id'],
    ['0', 'bad-input', 'is no id'],
    ['-1', 'bad-input', 'is no id'],
    ['1.5', 'bad-input', 'is no id'],
    ['ab%d', 'bad-input', 'is no id'],
    ['\u001b[2J', 'bad-input', '"\\u001b[2J" is no id'],
    ['99999999999999999999', 'not-found', 'there is no process'],
  ])('refuses %j', async (text, code, message) => {
    await expect(findProcess(test.profile.store, text)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
  });

  it('names each process once', async () => {
    const found = await findProcesses(test.profile.store, ['2', 'abcd1', '1']);
    expect(found.map(({ id }) => id)).toEqual([2, 1]);
  });
});
