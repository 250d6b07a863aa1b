import { randomUUID } from 'node:crypto';
import type { Job } from '../config/job.js';
import { InputError } from '../errors.js';
import { writeEvents } from '../store/events.js';
import { mapBounded } from '../store/map-bounded.js';
import type { Repository } from '../store/repository.js';
import type { Store } from '../store/store.js';
import type { ComputerRow, FileRow, ProcessRow } from '../store/tables.js';

/** A job that has been checked, its resources as the scheduler's schema gave them, and where its files are here. */
export interface PreparedJob {
  readonly job: Job;
  readonly computer: ComputerRow;
  readonly files: readonly InputFile[];
}

export interface InputFile {
  /** Name in the job's directory. */
  readonly path: string;
  /** Absolute local path. */
  readonly source: string;
  /** Permission bits. */
  readonly mode: number;
}

/**
 * Stores calcjobs, all of them or none, with their input files in the repository. They are due at once; whichever
 * driver runs next takes them up.
 */
export async function createCalcJobs(
  tools: { readonly store: Store; readonly repository: Repository; readonly now?: () => number },
  jobs: readonly PreparedJob[],
): Promise<ProcessRow[]> {
  const { store, repository, now = Date.now } = tools;
  const stored: Omit<FileRow, 'process_id'>[][] = [];
  for (const { files } of jobs) stored.push(await storeFiles(repository, files));
  const at = now();
  return store.transaction().execute(async (transaction) => {
    const rows: ProcessRow[] = [];
    for (const [index, { job, computer }] of jobs.entries()) {
      const row = await transaction
        .insertInto('processes')
        .values({
          uuid: randomUUID(),
          kind: 'calcjob',
          name: 'shell',
          label: job.label ?? '',
          description: job.description ?? '',
          state: 'created',
          stage: 'upload',
          stage_since: at,
          computer_id: computer.id,
          priority: job.priority,
          inputs: JSON.stringify(job),
          created_at: at,
          updated_at: at,
          due_at: at,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      const files = (stored[index] ?? []).map((file) => ({ ...file, process_id: row.id }));
      for (let start = 0; start < files.length; start += 1000) {
        await transaction
          .insertInto('files')
          .values(files.slice(start, start + 1000))
          .execute();
      }
      await writeEvents(transaction, row.id, at, [
        { type: 'process.created', data: { name: row.name, label: row.label, computer: computer.label } },
      ]);
      rows.push(row);
    }
    return rows;
  });
}

async function storeFiles(repository: Repository, files: readonly InputFile[]): Promise<Omit<FileRow, 'process_id'>[]> {
  return mapBounded(files, async (file) => {
    try {
      const content = await repository.putFile(file.source);
      return { role: 'inputs', path: file.path, ...content, mode: file.mode & 0o777 };
    } catch (error) {
      throw new InputError(`the input file ${file.source} cannot be read`, [], { cause: error });
    }
  });
}
