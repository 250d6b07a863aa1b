import { randomUUID } from 'node:crypto';
import type { Communicator } from '../../broker/communicator.js';
import { expectSameClock } from '../clock.js';
import { Engine } from '../engine.js';
import { programLane } from '../lanes/lane.js';
import type { Profile } from '../profile.js';
import { DriverService } from './driver-service.js';
import { openCommunicator } from './open-communicator.js';
import { Presence, presenceInterval, presentWorkers } from './presence.js';
import { Wakeable } from './wakeable.js';

export interface DriverOptions {
  /** One of a daemon: it shares the computers with the others of the profile, on all hosts, and takes tasks. */
  readonly isWorker: boolean;
  /** Code of users runs in a thread of its own. Default: false. */
  readonly hasCodeThread?: boolean;
  /** It runs processes of this program, in a lane of its own, and leaves those of workers alone. Default: false. */
  readonly hasOwnLane?: boolean;
  /** How many workers there are as far as somebody else knows, who may know it earlier. */
  readonly workers?: () => number;
  /** Told of what goes wrong at the broker, or beside the work, and is tried again. */
  readonly onProblem: (error: unknown) => void;
}

/** Milliseconds between two looks at how many workers there are. */
const lookInterval = 1_000;

/** An engine that can be reached: by broadcasts, calls and tasks as far as there is a broker, else through the store. */
export class Driver implements AsyncDisposable {
  readonly engine: Engine;
  readonly communicator: Communicator;
  readonly #service: DriverService;
  readonly #presence: Presence | undefined;
  readonly #stop = new AbortController();
  readonly #looking: Promise<void>;
  #present = 1;

  private constructor(profile: Profile, communicator: Communicator, options: DriverOptions) {
    const { isWorker, hasCodeThread = false, hasOwnLane = false, workers = () => 1, onProblem } = options;
    const owner = randomUUID();
    const { home, profile: name } = profile.location;
    this.communicator = communicator;
    this.engine = new Engine(profile, {
      owner,
      ...(hasOwnLane ? { ownLane: programLane(owner) } : {}),
      ...(hasCodeThread ? { codeThread: { home, profile: name, onProblem } } : {}),
      ...(isWorker ? { workers: () => Math.max(this.#present, workers()) } : {}),
      hooks: [{ onChange: () => this.#service.changed() }],
    });
    this.#service = new DriverService({
      profile,
      engine: this.engine,
      communicator,
      takesTasks: isWorker,
      onProblem,
    });
    this.#presence = isWorker ? new Presence(profile.store, owner, Date.now) : undefined;
    this.#looking = this.#look(profile, onProblem);
  }

  /**
   * Begins to be reachable; it drives when its engine does. The broker may be away.
   * Errors: `store-failed` when the clocks of this host and of the store differ.
   */
  static async open(profile: Profile, options: DriverOptions): Promise<Driver> {
    if (profile.settings.store !== undefined) await expectSameClock(profile.store);
    const communicator = await openCommunicator(profile, { waitForBroker: true, onProblem: options.onProblem });
    return new Driver(profile, communicator, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#looking;
    await this.engine[Symbol.asyncDispose]();
    const served = this.#service[Symbol.asyncDispose]();
    // What waits for a broker that is away would keep us; an orderly farewell needs one that is there.
    if (this.communicator.connected) await served;
    await this.communicator[Symbol.asyncDispose]();
    await served;
  }

  /** Says that this worker is there, and counts all that are. */
  async #look({ store }: Profile, onProblem: (error: unknown) => void): Promise<void> {
    const presence = this.#presence;
    if (presence === undefined) return;
    const pause = new Wakeable();
    const { signal } = this.#stop;
    for (let announced = Number.NEGATIVE_INFINITY; !signal.aborted; await pause.wait(lookInterval, signal)) {
      try {
        if (performance.now() - announced >= presenceInterval) {
          await presence.announce();
          announced = performance.now();
        }
        this.#present = (await presentWorkers(store, Date.now())).length;
      } catch (error) {
        onProblem(error);
      }
    }
    await presence.withdraw().catch(onProblem);
  }
}
