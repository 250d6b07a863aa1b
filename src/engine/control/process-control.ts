import { randomUUID } from 'node:crypto';
import type { Communicator, Json } from '../../broker/communicator.js';
import { storeFiles } from '../../calcjob/create.js';
import { type JobInput, jobSchema } from '../../config/job.js';
import { resolveFiles } from '../../config/job-file.js';
import { validate } from '../../config/validate.js';
import { WherryError } from '../../errors.js';
import { leaseHolder } from '../../store/leases.js';
import { leaseOf } from '../driver-of.js';
import type { Profile } from '../profile.js';
import type { ProcessSummary } from '../views.js';
import { driverAddress, processQueue, wakeSubjects } from './addresses.js';
import { applyIntent } from './apply-intent.js';
import type { Intent, ProcessTask } from './messages.js';

/** What became of a wish: how the process is, and whether the driver that works on it has heard. */
export interface Controlled {
  readonly process: ProcessSummary;
  /** False: it stands in the store, and whoever drives the process finds it there. */
  readonly heard: boolean;
}

/** A calcjob that was stored by a task. */
export interface Launched {
  readonly id: number;
  readonly uuid: string;
}

/** Milliseconds for a driver to answer, and for a worker to take a task. */
const patience = { answer: 5_000, task: 30_000 } as const;

/** Failures after which the store is as good a way: it only takes longer. */
const elsewhere: ReadonlySet<string> = new Set(['unroutable', 'broker-lost', 'broker-unavailable', 'timed-out']);

/**
 * Controls processes from a program: wishes go to the driver that works on the process, or into the store where none
 * does; new processes are made by workers, wherever they run.
 */
export class ProcessControl {
  readonly #profile: Profile;
  readonly #communicator: Communicator;

  constructor(profile: Profile, communicator: Communicator) {
    this.#profile = profile;
    this.#communicator = communicator;
  }

  /** Keeps a process from its next step. Errors: `not-found`. */
  async pause(id: number, reason?: string): Promise<Controlled> {
    return this.#ask(id, 'pause', reason);
  }

  /** Lets a paused process go on. Errors: `not-found`. */
  async play(id: number): Promise<Controlled> {
    return this.#ask(id, 'play');
  }

  /** Asks for the end of a process and of its job; that it has ended shows later. Errors: `not-found`. */
  async kill(id: number, reason?: string): Promise<Controlled> {
    return this.#ask(id, 'kill', reason);
  }

  /** How a process is. Errors: `not-found`. */
  async status(id: number): Promise<Controlled> {
    return this.#ask(id, 'status');
  }

  /** Does the same with every process that has not ended. @returns how they are */
  async all(intent: Intent, reason?: string): Promise<ProcessSummary[]> {
    const { store } = this.#profile;
    const rows = await store.selectFrom('processes').select('id').where('ended_at', 'is', null).orderBy('id').execute();
    const request = reason === undefined ? { intent } : { intent, reason };
    const found: ProcessSummary[] = [];
    for (const { id } of rows) found.push(await applyIntent(store, { id, ...request }));
    if (intent !== 'status') await this.hurry();
    return found;
  }

  /** Tells all drivers to look into the store now. Without a broker they do so soon anyhow. */
  async hurry(): Promise<void> {
    try {
      await this.#communicator.broadcast(wakeSubjects.drivers);
    } catch (error) {
      if (!(error instanceof WherryError) || !elsewhere.has(error.code)) throw error;
    }
  }

  /**
   * Has a worker store a calcjob and run it.
   * Errors: `bad-input` for a job that cannot be run; `timed-out` when no worker takes it in time: it may do so later.
   * @param options `baseDirectory`: what relative names of input files start from; default: the current folder
   */
  async launch(job: JobInput, options: { readonly baseDirectory?: string } = {}): Promise<Launched> {
    return this.#make('launch', job, options.baseDirectory);
  }

  /** Like `launch`, but the calcjob waits until it is continued. */
  async create(job: JobInput, options: { readonly baseDirectory?: string } = {}): Promise<Launched> {
    return this.#make('create', job, options.baseDirectory);
  }

  /** Has a worker let a process go on. Errors: `not-found`; `timed-out`. */
  async continue(id: number): Promise<void> {
    await this.#send({ task: 'continue', id });
  }

  async #make(task: 'launch' | 'create', job: JobInput, baseDirectory = process.cwd()): Promise<Launched> {
    const origin = { source: '' };
    const checked = validate(job, jobSchema, origin);
    const inputs = await resolveFiles(checked, baseDirectory, origin);
    const uuid = randomUUID();
    const stored = await storeFiles(this.#profile.repository, inputs, { uuid, exclude: checked.exclude });
    const files = stored.map(({ path, sha256, size, mode }) => ({ path, sha256, size, mode }));
    const answer = await this.#send({ task, uuid, job, files });
    return answer as unknown as Launched;
  }

  async #send(order: ProcessTask): Promise<Json> {
    return this.#communicator.callTask(processQueue, order as unknown as Json, { timeout: patience.task });
  }

  async #ask(id: number, intent: Intent, reason?: string): Promise<Controlled> {
    const { store } = this.#profile;
    const request = reason === undefined ? { id, intent } : { id, intent, reason };
    const owner = await this.#driverOf(id);
    if (owner !== undefined) {
      try {
        const answer = await this.#communicator.call(driverAddress(owner), 'process', request, {
          timeout: patience.answer,
        });
        return { process: answer as unknown as ProcessSummary, heard: true };
      } catch (error) {
        if (!(error instanceof WherryError) || !elsewhere.has(error.code)) throw error;
      }
    }
    const process = await applyIntent(store, request);
    if (intent !== 'status') await this.hurry();
    return { process, heard: false };
  }

  /** Who drives a process now. */
  async #driverOf(id: number): Promise<string | undefined> {
    const { store } = this.#profile;
    const row = await store
      .selectFrom('processes')
      .select(['computer_id', 'lane'])
      .where('id', '=', id)
      .executeTakeFirst();
    if (row === undefined) throw new WherryError('not-found', `there is no process ${id}`);
    const lease = leaseOf(row);
    return lease === undefined ? undefined : (await leaseHolder(store, lease, Date.now()))?.owner;
  }
}
