import { createHash, randomUUID } from 'node:crypto';
import { Prepared } from './prepared.js';
import type { Store, StoreTransaction } from './store.js';
import type { DataRow, FileRow } from './tables.js';

/** Kinds of data: a JSON value, one file, a tree of files, or a directory on a computer. */
export const dataTypes = ['value', 'file', 'folder', 'remote-folder'] as const;
export type DataType = (typeof dataTypes)[number];

/** A file of a piece of data: its content is in the repository. */
export type StoredFile = Omit<FileRow, 'process_id' | 'role'>;

/** A piece of data that is to be stored. */
export interface NewData {
  readonly type: DataType;
  /** JSON: the value; of a file `{name}`; of a remote folder `{computer, path}`. */
  readonly content: unknown;
  readonly files?: readonly StoredFile[];
}

/** A stored piece of data: it never changes. */
export interface StoredData extends NewData {
  readonly id: number;
  readonly uuid: string;
  /** Equal pieces have equal hashes. */
  readonly hash: string;
  readonly files: readonly StoredFile[];
}

/** What a process has to do with a piece of data: it took it, made it, or passed on what others had made. */
export type DataLinkType = 'input' | 'create' | 'return';

/** A piece of data under the name that it has at a process. */
export interface LinkedData {
  readonly label: string;
  readonly type: DataLinkType;
  readonly data: StoredData;
}

/** sha256 of everything that makes up a piece of data; the order of keys and of files does not matter. */
export function hashOf({ type, content, files = [] }: NewData): string {
  const sorted = files.map(({ path, sha256, mode }) => [path, sha256, mode] as const).sort(byFirst);
  return createHash('sha256')
    .update(canonicalJson([type, content, sorted]))
    .digest('hex');
}

/** JSON with the keys of every object in order, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(byFirst))
      : part,
  );
}

function byFirst(one: readonly unknown[], other: readonly unknown[]): number {
  return String(one[0]) < String(other[0]) ? -1 : 1;
}

/** Stores pieces of data, in their order. */
export async function insertData(
  transaction: StoreTransaction,
  pieces: readonly NewData[],
  now: number,
): Promise<StoredData[]> {
  const stored: StoredData[] = [];
  for (const { type, content, files = [] } of pieces) {
    const hash = hashOf({ type, content, files });
    const uuid = randomUUID();
    const { rows: made } = await insertion.run(transaction, {
      uuid,
      type,
      hash,
      content: JSON.stringify(content),
      now,
    });
    const id = made[0]?.id ?? 0;
    for (let start = 0; start < files.length; start += 1_000) {
      const rows = files.slice(start, start + 1_000).map((file) => ({ ...file, data_id: id }));
      await transaction.insertInto('data_files').values(rows).execute();
    }
    stored.push({ id, uuid, type, content, hash, files });
  }
  return stored;
}

const insertion = new Prepared<
  { uuid: string; type: string; hash: string; content: string; now: number },
  { readonly id: number }
>((db, value) =>
  db
    .insertInto('data')
    .values({
      uuid: value('uuid'),
      type: value('type'),
      hash: value('hash'),
      content: value('content'),
      created_at: value('now'),
    })
    .returning('id'),
);

/** Says what a process has to do with stored data. */
export async function insertLinks(
  transaction: StoreTransaction,
  processId: number,
  links: readonly { readonly label: string; readonly type: DataLinkType; readonly dataId: number }[],
): Promise<void> {
  const rows = links.map(({ label, type, dataId }) => ({ process_id: processId, label, type, data_id: dataId }));
  if (rows.length <= few) for (const row of rows) await insertLink.run(transaction, row);
  else await transaction.insertInto('links').values(rows).execute();
}

/** Rows that are faster written one by one than by a query that is made for their number. */
const few = 8;
const insertLink = new Prepared<{ process_id: number; label: string; type: string; data_id: number }>((db, value) =>
  db.insertInto('links').values({
    process_id: value('process_id'),
    label: value('label'),
    type: value('type'),
    data_id: value('data_id'),
  }),
);

/** The data of a process that it took, or that it gave, by their names. */
export async function linkedData(
  db: Store | StoreTransaction,
  processId: number,
  which: 'inputs' | 'outputs',
): Promise<LinkedData[]> {
  const { rows } = await linksOf[which].run(db, { processId });
  return (await linkedRows(db, rows)).sort(byLabel);
}

const linksOf = { inputs: linksOfTypes(['input']), outputs: linksOfTypes(['create', 'return']) } as const;

function linksOfTypes(types: readonly DataLinkType[]): Prepared<{ processId: number }, LinkedRow> {
  return new Prepared((db, value) =>
    db
      .selectFrom('links')
      .innerJoin('data', 'data.id', 'links.data_id')
      .select(['links.label', 'links.type as linkType'])
      .select(['data.id', 'data.uuid', 'data.type', 'data.hash', 'data.content'])
      .where('links.process_id', '=', value('processId'))
      .where('links.type', 'in', types),
  );
}

/**
 * What the processes gave that one has called, by their ids: of many it is read in one go.
 * @param uuids only of these, which are few
 */
export async function outputsOfChildren(
  db: Store,
  parentId: number,
  uuids?: readonly string[],
): Promise<Map<number, LinkedData[]>> {
  const all = db
    .selectFrom('processes')
    .innerJoin('links', 'links.process_id', 'processes.id')
    .innerJoin('data', 'data.id', 'links.data_id')
    .select(['processes.id as processId', 'links.label', 'links.type as linkType'])
    .select(['data.id', 'data.uuid', 'data.type', 'data.hash', 'data.content'])
    .where('processes.parent_id', '=', parentId)
    .where('links.type', 'in', ['create', 'return']);
  const rows = await (uuids === undefined ? all : all.where('processes.uuid', 'in', uuids)).execute();
  const found = new Map<number, LinkedData[]>();
  for (const [index, one] of (await linkedRows(db, rows)).entries()) {
    const processId = rows[index]?.processId ?? 0;
    const linked = found.get(processId);
    if (linked === undefined) found.set(processId, [one]);
    else linked.push(one);
  }
  for (const linked of found.values()) linked.sort(byLabel);
  return found;
}

/** Not in the order of the database: that of PostgreSQL depends on its language. */
function byLabel(one: LinkedData, other: LinkedData): number {
  return one.label < other.label ? -1 : 1;
}

type LinkedRow = Omit<DataRow, 'created_at'> & { readonly label: string; readonly linkType: string };

/** Links with their data, in the order of the rows. */
async function linkedRows(db: Store | StoreTransaction, rows: readonly LinkedRow[]): Promise<LinkedData[]> {
  const ids = rows.filter(({ type }) => type === 'file' || type === 'folder').map(({ id }) => id);
  const files = await filesOf(db, ids);
  return rows.map(({ id, uuid, type, hash, content, label, linkType }) => ({
    label,
    type: linkType as DataLinkType,
    data: { id, uuid, type: type as DataType, hash, content: JSON.parse(content), files: files.get(id) ?? [] },
  }));
}

/** The files of pieces of data, by the ids of these. */
async function filesOf(db: Store | StoreTransaction, ids: readonly number[]): Promise<Map<number, StoredFile[]>> {
  const found = new Map<number, StoredFile[]>(ids.map((id) => [id, []]));
  const distinct = [...found.keys()];
  for (let start = 0; start < distinct.length; start += 500) {
    const files = await db
      .selectFrom('data_files')
      .select(['data_id', 'path', 'sha256', 'size', 'mode'])
      .where('data_id', 'in', distinct.slice(start, start + 500))
      .orderBy('data_id')
      .orderBy('path')
      .execute();
    for (const { data_id, ...file } of files) found.get(data_id)?.push({ ...file, size: Number(file.size) });
  }
  return found;
}
