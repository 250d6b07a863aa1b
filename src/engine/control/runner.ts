import { randomUUID } from 'node:crypto';
import type { CalcJobDefinition } from '../../calcjob/define-calcjob.js';
import { InputError, WherryError } from '../../errors.js';
import { expectProcess, type ProcessDefinition } from '../../process/definition.js';
import type { InputsOf, OutputsOf } from '../../process/inputs.js';
import type { ProcessRow } from '../../store/tables.js';
import { type Caller, currentCaller, setProgramCaller } from '../../workflow/caller.js';
import type { CallOptions } from '../../workflow/context.js';
import { ProcessFailed, type ProcessResult } from '../../workflow/result.js';
import { type DryRun, writeDryRunOf } from '../dry-run.js';
import { requestKill } from '../intents.js';
import { programLane, sharedLaneOf } from '../lanes/lane.js';
import type { LaneDriver } from '../lanes/lane-driver.js';
import { prepareProcess, storeProcess } from '../lanes/new-process.js';
import { namedData, resultOf } from '../lanes/results.js';
import { openProfile, type Profile, type ProfileOptions } from '../profile.js';
import { Driver } from './driver.js';
import { hurryDrivers } from './hurry.js';
import { endsOf, News } from './news.js';

/** A process that workers run. */
export interface Submitted {
  readonly id: number;
  readonly uuid: string;
}

/** The one that is open in this program. */
let opened: Runner | undefined;

function current(what: string): Runner {
  if (opened !== undefined) return opened;
  throw new WherryError('bad-definition', `${what} was called where no profile is open`, {
    hint: 'run the script with: wherry run SCRIPT; or open one first: await using runner = await Runner.open()',
  });
}

/**
 * Runs processes in this program, and hands processes to workers. While one is open, functions that are processes can
 * be called like any others, and `run`, `submit` and `wait` work.
 */
export class Runner implements Caller, AsyncDisposable {
  readonly profile: Profile;
  readonly #driver: Driver;
  readonly #stop = new AbortController();
  readonly #driving: Promise<void>;
  readonly #lane: Promise<LaneDriver>;
  /** Those of its program that are not over; not all of them are stored yet. */
  #calls = 0;

  private constructor(profile: Profile, driver: Driver) {
    this.profile = profile;
    this.#driver = driver;
    const { engine } = driver;
    const lane = programLane(engine.owner);
    let taken: (driver: LaneDriver) => void = () => undefined;
    const isTaken = new Promise<LaneDriver>((resolve) => {
      taken = resolve;
    });
    this.#driving = engine.drive({
      signal: this.#stop.signal,
      until: () => {
        const own = engine.laneDriver(lane);
        if (own !== undefined) taken(own);
        return false;
      },
    });
    const failed = this.#driving.then<never>(() => {
      throw new WherryError('aborted', 'the runner was closed');
    });
    failed.catch(() => undefined);
    this.#lane = Promise.race([isTaken, failed]);
    this.#lane.catch(() => undefined);
  }

  /** Opens a profile and begins to drive what this program runs. Errors: those of opening the profile. */
  static async open(options: ProfileOptions = {}): Promise<Runner> {
    const profile = await openProfile(options);
    try {
      const driver = await Driver.open(profile, { isWorker: false, hasOwnLane: true, onProblem: () => undefined });
      const runner = new Runner(profile, driver);
      setProgramCaller(runner);
      opened = runner;
      return runner;
    } catch (error) {
      await profile[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Ends what it drives: what has not ended goes on with a worker that knows its definition. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (opened === this) {
      setProgramCaller(undefined);
      opened = undefined;
    }
    this.#stop.abort();
    await this.#driving.catch(() => undefined);
    await this.#driver[Symbol.asyncDispose]();
    await this.profile[Symbol.asyncDispose]();
  }

  /** Runs a process here and tells how it ended, well or not. Errors: InputError for its inputs. */
  async call(definition: ProcessDefinition, inputs: unknown, options: CallOptions = {}): Promise<ProcessResult> {
    expectProcess(definition);
    this.#calls++;
    try {
      const lane = await this.#lane;
      return await lane.call(definition, inputs, options);
    } finally {
      this.#calls--;
    }
  }

  /**
   * Stores a process for workers to run.
   * Errors: InputError for its inputs; `bad-definition` when no module of the profile defines it.
   */
  async submit<Definition extends ProcessDefinition>(
    definition: Definition,
    given: InputsOf<Definition>,
    options: CallOptions = {},
  ): Promise<Submitted> {
    expectProcess(definition);
    const { store } = this.profile;
    const uuid = randomUUID();
    const ready = await prepareProcess(this.profile, definition, given, { ...options, uuid });
    const module = await this.#driver.engine.definitions.moduleOf(definition.name);
    if (module === null) {
      throw new WherryError(
        'bad-definition',
        `workers do not know ${definition.name}: no module of the profile defines it`,
        {
          hint: `list its module under \`modules\` in ${this.profile.location.settingsFile}, or run it here`,
        },
      );
    }
    const place = { parentId: null, lane: sharedLaneOf(uuid), module, begun: false };
    const row = await store.transaction().execute((transaction) => storeProcess(transaction, ready, place, Date.now()));
    await hurryDrivers(this.profile);
    return { id: row.id, uuid };
  }

  /**
   * Writes what a calcjob would send into a new folder `./submit_test/<date>-<n>`, with its script; no process is stored,
   * and nothing is sent. Errors: InputError as for a submission, and for what is no calcjob.
   * @param options `directory`: instead of `submit_test`
   */
  async dryRun<Definition extends ProcessDefinition>(
    definition: Definition,
    given: InputsOf<Definition>,
    options: CallOptions & { readonly directory?: string } = {},
  ): Promise<DryRun> {
    expectProcess(definition);
    const { kind, name } = definition;
    if (kind !== 'calcjob') throw new InputError(`${name} is a ${kind}: only a calcjob sends something`);
    return writeDryRunOf(this.profile, definition as unknown as CalcJobDefinition, given, options);
  }

  /** Waits for the end of a process, whoever runs it. Errors: `not-found`; `aborted`. */
  async wait(id: number, options: { readonly signal?: AbortSignal } = {}): Promise<ProcessResult> {
    const { store, repository } = this.profile;
    const signal = AbortSignal.any([this.#stop.signal, ...(options.signal === undefined ? [] : [options.signal])]);
    await using news = new News(this.profile, endsOf([id]));
    for (let pause = 25; ; pause = Math.min(1_000, pause * 1.5)) {
      const row = await store.selectFrom('processes').selectAll().where('id', '=', id).executeTakeFirst();
      if (row === undefined) throw new WherryError('not-found', `there is no process ${id}`);
      if (row.ended_at !== null) {
        return resultOf(row, await namedData(store, (sha256) => repository.locate(sha256), id, 'outputs'));
      }
      signal.throwIfAborted();
      await news.wait(pause, signal);
    }
  }

  /** Asks for the end of everything that runs here, and waits for it. @returns how many there were */
  async killAll(reason: string, signal: AbortSignal): Promise<number> {
    const killed = new Set<number>();
    await this.#untilOver(signal, async (living) => {
      // What was called just before is stored only now.
      for (const row of living.filter(({ id }) => !killed.has(id))) {
        killed.add(row.id);
        await requestKill(this.profile.store, row, reason);
        this.#driver.engine.wake();
      }
    });
    return killed.size;
  }

  /** Waits until nothing runs here any more, or the signal comes. */
  async allEnded(signal: AbortSignal): Promise<void> {
    await this.#untilOver(signal, async () => undefined);
  }

  async #untilOver(signal: AbortSignal, look: (living: readonly ProcessRow[]) => Promise<void>): Promise<void> {
    await using news = new News(this.profile, endsOf([]));
    while (!signal.aborted) {
      const areCalled = this.#calls > 0;
      const living = await this.#living();
      if (!areCalled && living.length === 0) return;
      await look(living);
      await news.wait(100, signal);
    }
  }

  #living(): Promise<ProcessRow[]> {
    const lane = programLane(this.#driver.engine.owner);
    const inLane = this.profile.store.selectFrom('processes').selectAll().where('lane', '=', lane);
    return inLane.where('ended_at', 'is', null).orderBy('id').execute();
  }
}

/**
 * Runs a process in this program and gives its outputs; inside a workflow or a function it is a call of that.
 * Errors: ProcessFailed when it ends otherwise; InputError for its inputs; `bad-definition` where no runner is open.
 */
export async function run<Definition extends ProcessDefinition>(
  definition: Definition,
  inputs: InputsOf<Definition>,
  options: CallOptions = {},
): Promise<OutputsOf<Definition>> {
  expectProcess(definition);
  const result = await currentCaller(definition.name).call(definition, inputs, options);
  if (!result.ok) throw new ProcessFailed(result);
  return result.outputs as OutputsOf<Definition>;
}

/** Stores a process for workers to run; see Runner.submit. */
export async function submit<Definition extends ProcessDefinition>(
  definition: Definition,
  inputs: InputsOf<Definition>,
  options: CallOptions = {},
): Promise<Submitted> {
  return current('submit').submit(definition, inputs, options);
}

/** Writes what a calcjob would send into a folder here, and sends nothing; see Runner.dryRun. */
export async function dryRun<Definition extends ProcessDefinition>(
  definition: Definition,
  inputs: InputsOf<Definition>,
  options: CallOptions & { readonly directory?: string } = {},
): Promise<DryRun> {
  return current('dryRun').dryRun(definition, inputs, options);
}

/** Waits for the end of a process and tells how it ended, well or not; see Runner.wait. */
export async function wait(
  submitted: Submitted | number,
  options: { readonly signal?: AbortSignal } = {},
): Promise<ProcessResult> {
  return current('wait').wait(typeof submitted === 'number' ? submitted : submitted.id, options);
}
