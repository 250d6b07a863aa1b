import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type DataLinkType, insertData, insertLinks, linkedData, outputsOfChildren } from '../../../src/store/data.js';
import type { Store } from '../../../src/store/store.js';
import { temporaryStore } from './temporary-store.js';

async function insertProcess(store: Store, parentId: number | null): Promise<{ id: number; uuid: string }> {
  const row = { uuid: randomUUID(), kind: 'workflow', name: 'any', label: '', description: '', inputs: '{}' } as const;
  return store
    .insertInto('processes')
    .values({ ...row, parent_id: parentId, state: 'finished', stage_since: 0, created_at: 0, updated_at: 0 })
    .returning(['id', 'uuid'])
    .executeTakeFirstOrThrow();
}

describe('what children gave', () => {
  it('is the same, in the same order, whether it is read of one or of all, with files or without', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const parent = await insertProcess(store, null);
    const child = await insertProcess(store, parent.id);
    const other = await insertProcess(store, parent.id);
    await store.transaction().execute(async (transaction) => {
      const file = (name: string) => ({ path: name, sha256: name, size: 3, mode: 0o600 });
      const [value, folder, empty] = await insertData(
        transaction,
        [
          { type: 'value', content: { deep: [1] } },
          { type: 'folder', content: {}, files: [file('b'), file('a')] },
          { type: 'folder', content: {} },
        ],
        0,
      );
      const link = (label: string, type: DataLinkType, dataId = 0) => ({ label, type, dataId });
      const links = [
        link('c', 'create', value?.id),
        link('a', 'return', folder?.id),
        link('b', 'create', empty?.id),
        link('0', 'input', value?.id),
      ];
      await insertLinks(transaction, child.id, links);
      await insertLinks(transaction, other.id, [link('a', 'return', folder?.id)]);
    });
    const alone = await linkedData(store, child.id, 'outputs');
    expect(alone.map(({ label, type, data }) => [label, type, data.files.map(({ path }) => path)])).toEqual([
      ['a', 'return', ['a', 'b']],
      ['b', 'create', []],
      ['c', 'create', []],
    ]);
    const all = await outputsOfChildren(store, parent.id);
    expect(all.get(child.id)).toEqual(alone);
    expect(all.get(other.id)).toEqual(await linkedData(store, other.id, 'outputs'));
    expect([...(await outputsOfChildren(store, parent.id, [other.uuid])).keys()]).toEqual([other.id]);
  });
});
