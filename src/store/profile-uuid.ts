import { WherryError } from '../errors.js';
import type { Store } from './store.js';

/** What the profile of a store is called where several meet; it never changes. */
export async function profileUuid(store: Store): Promise<string> {
  const row = await store.selectFrom('settings').select('value').where('name', '=', 'uuid').executeTakeFirst();
  if (row === undefined) {
    throw new WherryError('store-failed', 'the store has lost the uuid of its profile', {
      hint: 'restore it from a backup',
    });
  }
  return row.value;
}
