import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createCalcJobs, type InputFile } from '../../src/calcjob/create.js';
import { computerSchema } from '../../src/config/computer.js';
import { ensureProfile, locateProfile } from '../../src/config/home.js';
import { type JobInput, jobSchema } from '../../src/config/job.js';
import { writeProfileSettings } from '../../src/config/profile-file.js';
import { addComputer } from '../../src/engine/computers.js';
import { Engine, type EngineOptions } from '../../src/engine/engine.js';
import { openProfile, type Profile } from '../../src/engine/profile.js';
import type { ComputerRow, ProcessRow } from '../../src/store/tables.js';
import { providedDatabase } from './provided-postgres.js';

export interface TestProfile extends AsyncDisposable {
  readonly profile: Profile;
  /** An empty directory that goes with the profile. */
  readonly directory: string;
  addComputer(config: Record<string, unknown>): Promise<ComputerRow>;
  submit(
    computer: ComputerRow,
    job: Partial<JobInput> & Pick<JobInput, 'command'>,
    files?: InputFile[],
  ): Promise<ProcessRow>;
  row(id: number): Promise<ProcessRow>;
  /** Drives with a new engine until these processes have ended or are paused. */
  drive(rows: readonly ProcessRow[], options?: EngineOptions & { timeout?: number }): Promise<ProcessRow[]>;
  /** Text of a retrieved file. */
  output(id: number, path: string): Promise<string>;
  eventTypes(id: number | null): Promise<string[]>;
}

/** A profile in a temporary home; its store is on PostgreSQL where the project of the test provides it. */
export async function startProfile(): Promise<TestProfile> {
  const directory = await mkdtemp(path.join(tmpdir(), 'wherry-test-'));
  const home = path.join(directory, 'home');
  const database = await providedDatabase();
  if (database !== undefined) await useDatabase(home, database.place.url);
  const profile = await openProfile({ home });
  const { store, repository } = profile;
  const row = (id: number) => store.selectFrom('processes').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  return {
    profile,
    directory,
    row,
    addComputer: (config) => addComputer(store, computerSchema.parse(config)),
    async submit(computer, job, files = []) {
      const [created] = await createCalcJobs(profile, [{ job: jobSchema.parse(job), computer, files }]);
      if (created === undefined) throw new Error('nothing was created');
      return created;
    },
    async drive(rows, { timeout = 60_000, ...options } = {}) {
      await using engine = new Engine(profile, options);
      const ids = rows.map(({ id }) => id);
      const signal = AbortSignal.timeout(timeout);
      const open = async () =>
        store
          .selectFrom('processes')
          .select('id')
          .where('id', 'in', ids)
          .where('ended_at', 'is', null)
          .where('paused', '=', 0)
          .execute();
      await engine.drive({ signal, until: async () => (await open()).length === 0 });
      const left = await open();
      if (left.length > 0) {
        const stuck = await Promise.all(left.map(({ id }) => row(id)));
        throw new Error(`not ended after ${timeout} ms: ${JSON.stringify(stuck, null, 1)}`);
      }
      return Promise.all(ids.map(row));
    },
    async output(id, name) {
      const file = await store
        .selectFrom('files')
        .selectAll()
        .where('process_id', '=', id)
        .where('role', '=', 'outputs')
        .where('path', '=', name)
        .executeTakeFirstOrThrow();
      return (await repository.read(file.sha256)).toString();
    },
    async eventTypes(id) {
      const rows = await store
        .selectFrom('events')
        .select('type')
        .where('process_id', id === null ? 'is' : '=', id)
        .orderBy('id')
        .execute();
      return rows.map(({ type }) => type);
    },
    async [Symbol.asyncDispose]() {
      await profile[Symbol.asyncDispose]();
      await database?.[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function useDatabase(home: string, url: string): Promise<void> {
  const location = locateProfile({ home }, {});
  await ensureProfile(location);
  await writeProfileSettings(location, { store: url });
}
