import { Worker } from 'node:worker_threads';
import { messageOf, WherryError } from '../../errors.js';
import { callHooks } from '../../process/hooks.js';
import type { Lease } from '../../store/leases.js';
import type { LaneTools } from '../driver-tools.js';
import { CodeThreadDriver } from './code-thread-driver.js';
import { type CodeThreadData, errorOf, type FromCodeThread, type LaneOrder } from './code-thread-messages.js';
import { endedAmong, laneKills, runningIn } from './lane-work.js';

/**
 * Milliseconds. Code that has not returned for `late` is told of, and ended with its thread when somebody wants that; it
 * is looked at every `look`. A thread that ends within `early` is started again after a pause, which doubles.
 */
const timing = {
  late: 10_000,
  look: 1_000,
  early: 60_000,
  pause: { first: 1_000, longest: 60_000 },
  end: 1_000,
} as const;

/**
 * Megabytes that JavaScript may have in the thread. A thread that may have much is slow to give any back: with 4 GB, ten
 * thousand workflows that wait took 80 MB more.
 */
const memory = { maxOldGenerationSizeMb: 1_024, maxYoungGenerationSizeMb: 16 } as const;

export interface CodeThreadOptions extends CodeThreadData {
  /** Told of what goes wrong beside the work. */
  readonly onProblem: (error: unknown) => void;
}

/**
 * The thread in which a worker runs code of users: workflows, functions, and what prepares and reads calcjobs. The
 * worker itself holds the leases and renews them, so it is reachable, and drives its computers, whatever that code does.
 * The thread is started when there is work for it, and again when it has ended.
 */
export class CodeThread implements AsyncDisposable {
  readonly #tools: LaneTools;
  readonly #options: CodeThreadOptions;
  readonly #drivers = new Map<number, CodeThreadDriver>();
  #made = 0;
  #thread: Worker | undefined;
  /** Has it said anything yet? Before that it is only slow to start. */
  #isUp = false;
  /** By `performance.now`, like all moments in here. */
  #startedAt = 0;
  #earlyEnds = 0;
  #startAgainAt = 0;
  #lookedAt = 0;
  /** Was it told that code keeps the thread? */
  #isLate = false;
  /** Processes that could be what keeps the thread, as they were found last. */
  #running: readonly number[] = [];

  constructor(tools: LaneTools, options: CodeThreadOptions) {
    this.#tools = tools;
    this.#options = options;
  }

  /** May lanes be taken now? Not for a while after a thread has ended by itself. */
  get ready(): boolean {
    return this.#thread !== undefined || performance.now() >= this.#startAgainAt;
  }

  /** A driver for a lane. @param resting how many workflows that wait are kept in memory */
  driver(lease: Lease, lane: string, resting: number): CodeThreadDriver {
    this.#thread ??= this.#start();
    const thread = this.#thread;
    const number = ++this.#made;
    const send = (order: LaneOrder) => {
      if (this.#thread !== thread) return false;
      thread.postMessage({ driver: number, order });
      return true;
    };
    const driver = new CodeThreadDriver(this.#tools, lease, lane, {
      send,
      late: (since) => this.#late(since),
      // It may even hold the store, where code never returns that ran into the transaction of another process.
      stuck: () => this.#end(thread, 'code of a process does not return'),
    });
    this.#drivers.set(number, driver);
    driver.begin(resting);
    return driver;
  }

  /** Ends the thread; drivers that are left have nobody who works for them. */
  async [Symbol.asyncDispose](): Promise<void> {
    const thread = this.#thread;
    if (thread === undefined) return;
    this.#lose(thread, new WherryError('aborted', 'the driver ends'));
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timing.end);
    });
    await Promise.race([thread.terminate(), patience]);
    clearTimeout(timer);
  }

  #start(): Worker {
    const { home, profile } = this.#options;
    const thread = new Worker(new URL('./code-thread-program.js', import.meta.url), {
      workerData: { home, profile } satisfies CodeThreadData,
      resourceLimits: memory,
    });
    this.#isUp = false;
    this.#startedAt = performance.now();
    let reason = 'it ended itself';
    thread.on('message', (message: FromCodeThread) => {
      if (this.#thread === thread) this.#hear(message);
    });
    thread.on('error', (error) => {
      reason = messageOf(error);
    });
    thread.once('exit', () => this.#ended(thread, reason));
    // A worker that has nothing else to do may end.
    thread.unref();
    return thread;
  }

  #hear(message: FromCodeThread): void {
    const { hooks, storeTrouble, wake } = this.#tools;
    this.#isUp = true;
    switch (message.type) {
      case 'answer': {
        const driver = this.#drivers.get(message.driver);
        driver?.hear(message);
        if (driver?.isOver) this.#drivers.delete(message.driver);
        this.#isLate = false;
        this.#running = [];
        return;
      }
      case 'woken':
        for (const [number, state] of message.states) this.#drivers.get(number)?.see(state);
        wake();
        return;
      case 'changed':
        callHooks(hooks, message.change, this.#options.onProblem);
        return;
      case 'store-trouble':
        storeTrouble(errorOf(message.error));
        return;
      case 'problem':
        this.#options.onProblem(errorOf(message.error));
    }
  }

  /** The thread has ended by itself: code in it has ended it, needed too much memory, or it could not begin. */
  #ended(thread: Worker, why: string): void {
    if (this.#thread !== thread) return;
    const now = performance.now();
    this.#earlyEnds = now - this.#startedAt < timing.early ? this.#earlyEnds + 1 : 0;
    const { first, longest } = timing.pause;
    const pause = this.#earlyEnds === 0 ? 0 : Math.min(longest, first * 2 ** (this.#earlyEnds - 1));
    this.#startAgainAt = now + pause;
    const next = `what it was doing is begun anew${pause === 0 ? '' : ` in ${pause / 1_000} s`}`;
    const words = `the thread that runs code of processes has ended: ${why}; ${next}`;
    const reason = new WherryError('computation-failed', words);
    this.#lose(thread, reason);
    this.#options.onProblem(reason);
  }

  #lose(thread: Worker, reason: WherryError): void {
    if (this.#thread !== thread) return;
    this.#thread = undefined;
    this.#isLate = false;
    this.#running = [];
    const lost = [...this.#drivers.values()];
    this.#drivers.clear();
    for (const driver of lost) driver.lose(reason);
  }

  /** The thread has not answered since a moment: it may be kept by code that does not return. */
  #late(since: number): void {
    const now = performance.now();
    const thread = this.#thread;
    if (thread === undefined || !this.#isUp || now - since < timing.late || now - this.#lookedAt < timing.look) return;
    this.#lookedAt = now;
    this.#look(thread, now - since).catch(this.#options.onProblem);
  }

  async #look(thread: Worker, late: number): Promise<void> {
    const { store, now } = this.#tools;
    const lanes = [...this.#drivers.values()].map(({ lane }) => lane);
    const running = await runningIn(store, lanes);
    const names = running.map(({ id, name }) => `${id} (${name})`).join(', ');
    if (!this.#isLate) {
      this.#isLate = true;
      const whose = names === '' ? '' : `; probably one of these: ${names}`;
      const words = `code of a process has not returned for ${Math.round(late / 1_000)} s, and others wait for it${whose}`;
      this.#options.onProblem(new WherryError('timed-out', `${words}; if it hangs, end it with: wherry kill ID`));
    }
    const kills = await Promise.all(lanes.map((lane) => laneKills(store, lane, now())));
    // Nobody but those who force it ends a process while the thread that drives it is kept.
    const isUnwanted = kills.some((rows) => rows.length > 0) || (await endedAmong(store, this.#running));
    this.#running = running.map(({ id }) => id);
    if (!isUnwanted || this.#thread !== thread) return;
    this.#end(thread, 'a process is being killed whose code does not return');
  }

  /** What the thread was doing is begun anew by another. */
  #end(thread: Worker, reason: string): void {
    this.#lose(thread, new WherryError('aborted', reason));
    void thread.terminate();
  }
}
