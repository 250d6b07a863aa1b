import { randomUUID } from 'node:crypto';
import type { Store } from '../../../src/store/store.js';
import type { NewProcessRow, ProcessRow } from '../../../src/store/tables.js';

/** Stores a calcjob as it is after `submit`, with whatever differs. */
export function insertProcess(store: Store, differing: Partial<NewProcessRow> = {}): Promise<ProcessRow> {
  return store
    .insertInto('processes')
    .values({
      uuid: randomUUID(),
      kind: 'calcjob',
      name: 'shell',
      label: '',
      description: '',
      state: 'created',
      stage: 'upload',
      stage_since: 1,
      inputs: '{}',
      created_at: 1,
      updated_at: 1,
      due_at: 1,
      ...differing,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** The row as it is stored now. */
export function storedProcess(store: Store, id: number): Promise<ProcessRow> {
  return store.selectFrom('processes').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
}
