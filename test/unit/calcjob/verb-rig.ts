import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CalcJobContext } from '../../../src/calcjob/context.js';
import { createCalcJobs, type InputFile } from '../../../src/calcjob/create.js';
import { computerSchema } from '../../../src/config/computer.js';
import { type JobInput, jobSchema } from '../../../src/config/job.js';
import { addComputer } from '../../../src/engine/computers.js';
import type { Connection } from '../../../src/plugin/transport.js';
import { carryOut, type Transition } from '../../../src/process/transition.js';
import { eventsOf } from '../../../src/store/events.js';
import { claimLease, type Lease } from '../../../src/store/leases.js';
import type { ComputerRow, NewProcessRow, ProcessRow } from '../../../src/store/tables.js';
import local from '../../../transports/local/index.js';
import { storedProcess } from '../process/stored-process.js';
import { temporaryStore } from '../store/temporary-store.js';
import { fakeScheduler } from './fake-scheduler.js';

/** The verbs of one calcjob, called one by one on this machine by the local transport; there is no queue. */
export async function verbRig() {
  const base = await temporaryStore();
  const { store, repository, directory } = base;
  const place = path.join(directory, 'computer');
  await mkdir(place);
  const workDirectory = path.join(place, 'work');
  const config = computerSchema.parse({ label: 'here', transport: 'local', scheduler: 'x', workDirectory });
  const computer: ComputerRow = await addComputer(store, config);
  const connection: Connection = await local.open({}, { timeout: 10_000 });
  const lease = (await claimLease(store, `computer:${computer.id}`, 'me', 1, 1e9)) as Lease;
  const stop = new AbortController();

  return {
    ...base,
    /** Everything that the tests have on the computer is below it. */
    place,
    computer,
    connection,
    stop,
    /** Stores a calcjob; a row of it may then be given columns as if it had gone on. */
    async create(job: Partial<JobInput>, files: InputFile[] = [], columns: Partial<NewProcessRow> = {}) {
      const checked = jobSchema.parse({ command: ['true'], ...job });
      const [row] = await createCalcJobs(base, [{ job: checked, computer, files }]);
      if (row === undefined) throw new Error('nothing was created');
      if (Object.keys(columns).length > 0) {
        await store.updateTable('processes').set(columns).where('id', '=', row.id).execute();
      }
      return storedProcess(store, row.id);
    },
    context(row: ProcessRow): CalcJobContext {
      return {
        row,
        job: JSON.parse(row.inputs),
        computer: { row: computer, config, scheduler: fakeScheduler, schedulerOptions: {} },
        ...{ connection, store, repository, lease, signal: stop.signal },
        now: () => 1_000,
        nonce: () => 'nonce',
        refuseEntry: async () => undefined,
      };
    },
    /** Carries out what a verb wants. */
    async carryOut(row: ProcessRow, transition: Transition): Promise<ProcessRow> {
      return carryOut(store, row, transition, { now: 1_000, lease });
    },
    /** Writes files below `place`; a content of null makes a folder. Gives the absolute path of the folder. */
    async write(folder: string, files: Readonly<Record<string, string | null>>): Promise<string> {
      const root = path.join(place, folder);
      for (const [name, content] of Object.entries(files)) {
        const file = path.join(root, name);
        await mkdir(content === null ? file : path.dirname(file), { recursive: true });
        if (content !== null) await writeFile(file, content);
      }
      return root;
    },
    async reports(id: number): Promise<string[]> {
      const events = await eventsOf(store, id);
      return events
        .filter(({ type }) => type === 'process.report')
        .map(({ data }) => (JSON.parse(data) as { message: string }).message);
    },
    /** Stored files of a process: path → content, or nothing where the repository has it not. */
    async stored(id: number, role: string): Promise<Record<string, string | null>> {
      const rows = await store.selectFrom('files').selectAll().where('process_id', '=', id).orderBy('path').execute();
      const texts: Record<string, string | null> = {};
      for (const file of rows.filter((each) => each.role === role)) {
        texts[file.path] = await repository.read(file.sha256).then(String, () => null);
      }
      return texts;
    },
    async [Symbol.asyncDispose]() {
      await connection.close();
      await base[Symbol.asyncDispose]();
    },
  };
}
export type VerbRig = Awaited<ReturnType<typeof verbRig>>;

/** All files below a folder: path → content; what is no file is left out. */
export async function filesBelow(folder: string): Promise<Record<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  const contents = files.sort().map(async (file) => [path.relative(folder, file), await readFile(file, 'utf8')]);
  return Object.fromEntries(await Promise.all(contents));
}
