import { whyCleaned } from '../calcjob/cleaned.js';
import { type LinkedData, linkedData } from '../store/data.js';
import type { Store } from '../store/store.js';

export interface FileView {
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  readonly mode: number;
}

/** A piece of data under its name at a process. */
export interface DataPiece {
  readonly label: string;
  readonly uuid: string;
  readonly type: string;
  /** Of a value, and where a remote folder is; null for anything else. */
  readonly value: unknown;
  readonly files: readonly FileView[];
  /** Why nothing is to be had of a remote folder any more; null when it may be there, and for anything else. */
  readonly gone: string | null;
}

/** What a process took or gave. @param computers their ids, by label */
export async function dataViews(
  store: Store,
  processId: number,
  which: 'inputs' | 'outputs',
  computers: ReadonlyMap<string, number>,
): Promise<DataPiece[]> {
  const pieces: DataPiece[] = [];
  for (const { label, data } of await linkedData(store, processId, which)) {
    const { uuid, type, content, files } = data;
    const value = type === 'value' || type === 'remote-folder' ? content : null;
    pieces.push({ label, uuid, type, value, files, gone: await whyGone(store, data, computers) });
  }
  return pieces;
}

async function whyGone(
  store: Store,
  { type, content }: LinkedData['data'],
  computers: ReadonlyMap<string, number>,
): Promise<string | null> {
  if (type !== 'remote-folder') return null;
  const { computer, path } = content as { readonly computer: string; readonly path: string };
  return (await whyCleaned(store, computers.get(computer) ?? null, path)) ?? null;
}
