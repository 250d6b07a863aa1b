import { createHash } from 'node:crypto';
import { WherryError } from '../errors.js';
import type { TreeEntry } from '../plugin/transport.js';
import type { Transition } from '../process/transition.js';
import { Prepared } from '../store/prepared.js';
import type { Repository } from '../store/repository.js';
import type { FileRow } from '../store/tables.js';
import { type CalcJobContext, deadlines, ownFiles, workDirectory, writeState } from './context.js';
import { takesFromComputer } from './gather.js';
import { importRun } from './import.js';
import { jobDirectory } from './job-directory.js';
import { excludedRole } from './passing.js';
import { streamsOf } from './programs.js';

/**
 * Sends the input files into the job's directory, complete or not at all. Repeating it after a crash finds the
 * directory that the lost attempt completed and goes on with it.
 */
export async function upload(context: CalcJobContext): Promise<Transition> {
  const { connection, row, job, signal } = context;
  if (job.remoteFolder !== undefined) return importRun(context, job.remoteFolder);
  const directory = jobDirectory(workDirectory(connection, context.computer.config), row.uuid);
  const tree = await treeOf(context);
  try {
    await connection.upload(tree, directory, { timeout: deadlines.transfer, signal });
  } catch (error) {
    if (!(error instanceof WherryError && error.code === 'file-exists')) throw error;
    await expectOwnUpload(context, directory, tree, error);
  }
  const state = job.stash === undefined ? {} : { checkpoint: writeState({ stash: 'wanted' }) };
  const stage = takesFromComputer(job) ? 'gather' : 'submit';
  return { to: 'waiting', stage, changes: { remote_directory: directory, ...state } };
}

const sentFiles = new Prepared<{ id: number }, FileRow>((db, value) =>
  db
    .selectFrom('files')
    .selectAll()
    .where('process_id', '=', value('id'))
    .where('role', 'in', ['inputs', excludedRole])
    .orderBy('path'),
);

async function treeOf({ store, repository, row, job }: CalcJobContext): Promise<TreeEntry[]> {
  const { rows: files } = await sentFiles.run(store, { id: row.id });
  const entries: TreeEntry[] = [{ type: 'directory', path: ownFiles.directory }];
  for (const { path, size, sha256, mode, role } of files) {
    const file = await (role === excludedRole
      ? locateExcluded(repository, row.uuid, sha256)
      : repository.locate(sha256));
    entries.push({ type: 'file', path, size, sha256, mode, content: { file } });
  }
  // The command's streams may be in a folder that no input makes.
  for (const stream of streamsOf(job)) {
    const folder = stream.split('/').slice(0, -1).join('/');
    if (folder !== '' && !entries.some((entry) => entry.path === folder || entry.path.startsWith(`${folder}/`))) {
      entries.push({ type: 'directory', path: folder });
    }
  }
  return [...entries, identityOf(row.uuid, entries)];
}

/** What is excluded is kept aside; but what the repository had before, such as the files of a code, stays there. */
async function locateExcluded(repository: Repository, uuid: string, sha256: string): Promise<string> {
  try {
    return await repository.passing(uuid).locate(sha256);
  } catch (error) {
    if (error instanceof WherryError && error.code === 'not-found') return repository.locate(sha256);
    throw error;
  }
}

/** A file that tells this upload from any other: who, and a hash over what. */
function identityOf(uuid: string, entries: readonly TreeEntry[]): TreeEntry {
  const hash = createHash('sha256');
  for (const entry of entries) hash.update(JSON.stringify([entry.path, entry.type === 'file' ? entry.sha256 : '']));
  const content = Buffer.from(`${uuid} ${hash.digest('hex')}\n`);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { type: 'file', path: ownFiles.upload, size: content.byteLength, sha256, content };
}

async function expectOwnUpload(
  { connection, signal }: CalcJobContext,
  directory: string,
  tree: readonly TreeEntry[],
  cause: WherryError,
): Promise<void> {
  const identity = tree.at(-1);
  const expected =
    identity?.type === 'file' && identity.content instanceof Uint8Array ? Buffer.from(identity.content) : undefined;
  const found = await connection.read(`${directory}/${ownFiles.upload}`, {
    timeout: deadlines.command,
    signal,
    maxBytes: 4096,
  });
  if (expected === undefined || !found.equals(expected)) {
    throw new WherryError('file-exists', `${directory} exists and holds something else than this calcjob`, {
      hint: 'look at it on the computer; move it away, then play the process',
      cause,
    });
  }
}
