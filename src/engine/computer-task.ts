import { writeFile } from 'node:fs/promises';
import { whyCleaned } from '../calcjob/cleaned.js';
import { deadlines } from '../calcjob/context.js';
import { WherryError } from '../errors.js';
import type { Connection, RemoteEntry } from '../plugin/transport.js';
import type { Store } from '../store/store.js';
import { testCode } from './codes-test.js';
import type { UseConnection } from './computer-access.js';
import { below } from './process-files.js';
import { type CheckResult, testComputer } from './test-computer.js';

/** What a person can want of a computer; `target` is a place of this host that takes what is brought. */
export type ComputerTask =
  | { readonly kind: 'test' }
  /** Is what a code names there? */
  | { readonly kind: 'code'; readonly codeId: number }
  /** Everything in the directory of a process. */
  | { readonly kind: 'list'; readonly processId: number }
  /** One file of it, into the file `target`. */
  | { readonly kind: 'read'; readonly processId: number; readonly path: string; readonly target: string }
  /** Its files, those of one folder or one file when a path is given, into the folder `target`. */
  | { readonly kind: 'fetch'; readonly processId: number; readonly path: string | null; readonly target: string };

/** What comes of each. */
export interface TaskResult {
  test: CheckResult[];
  code: CheckResult[];
  list: RemoteEntry[];
  read: null;
  fetch: RemoteEntry[];
}

/** Most entries of a listing, and most bytes of a file that is read in one piece. */
const bounds = { entries: 100_000, bytes: 256 * 2 ** 20 } as const;

/**
 * Carries out a task on the connection that `use` lends.
 * @param onCheck told of each check of a test as it ends
 */
export async function carryOutTask(
  store: Store,
  computerId: number,
  task: ComputerTask,
  use: UseConnection,
  signal: AbortSignal,
  onCheck: (result: CheckResult) => void = () => undefined,
): Promise<TaskResult[ComputerTask['kind']]> {
  if (task.kind === 'test') {
    const row = await store.selectFrom('computers').selectAll().where('id', '=', computerId).executeTakeFirstOrThrow();
    return testComputer(store, row, { use, signal, onCheck });
  }
  if (task.kind === 'code') return testCode(store, computerId, task.codeId, use, signal);
  const directory = await directoryOf(store, computerId, task.processId);
  return use(signal, (connection, _, held) => onFiles(connection, directory, task, held));
}

async function onFiles(
  connection: Connection,
  directory: string,
  task: Exclude<ComputerTask, { kind: 'test' | 'code' }>,
  signal: AbortSignal,
): Promise<RemoteEntry[] | null> {
  const limits = { timeout: deadlines.transfer, signal };
  if (task.kind === 'read') {
    const content = await connection.read(`${directory}/${task.path}`, { ...limits, maxBytes: bounds.bytes });
    await writeFile(task.target, content, { mode: 0o600 });
    return null;
  }
  const found = await connection.find(directory, [''], limits);
  if (found.length > bounds.entries) {
    throw new WherryError('output-too-large', `there are more than ${bounds.entries} files in ${directory}`);
  }
  if (task.kind === 'list') return found;
  const wanted = below(found, task.path ?? undefined).filter(({ type }) => type === 'file');
  await connection.download(directory, wanted, task.target, limits);
  return wanted;
}

/** Only the directory of a process of this computer is ever looked into. */
async function directoryOf(store: Store, computerId: number, processId: number): Promise<string> {
  const row = await store
    .selectFrom('processes')
    .select('remote_directory')
    .where('id', '=', processId)
    .where('computer_id', '=', computerId)
    .executeTakeFirst();
  const cleaned = await whyCleaned(store, computerId, processId);
  if (cleaned !== undefined) throw new WherryError('not-found', cleaned);
  if (row?.remote_directory) return row.remote_directory;
  throw new WherryError('not-found', `process ${processId} has no directory on this computer`);
}
