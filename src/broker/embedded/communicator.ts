import { randomUUID } from 'node:crypto';
import { WherryError } from '../../errors.js';
import { decodeBody, encodeBody } from '../body.js';
import type {
  Address,
  Broadcast,
  BroadcastFilter,
  Communicator,
  Json,
  Method,
  ParkedTask,
  Patience,
  QueueStatus,
  TaskIntake,
} from '../communicator.js';
import type { Limits } from '../expectation.js';
import { errorOf } from '../failure.js';
import { checkAddress, checkFilter, checkQueue, checkSubject, matches } from '../names.js';
import { noBody } from './bodies.js';
import { Intake } from './intake.js';
import { type HubConnection, Link, type LinkOptions } from './link.js';
import { type FromHub, parkedRows, queueCounts, type ToHub } from './protocol.js';
import { Requests } from './requests.js';
import { Served } from './served.js';

export interface EmbeddedCommunicatorOptions
  extends Pick<LinkOptions, 'directory' | 'prefersToBeHub' | 'heartbeat' | 'now' | 'onProblem'> {
  readonly attempts: number;
  /** Milliseconds for what has no patience of its own. */
  readonly patience: number;
}

/** Something that this communicator does until it is disposed of. */
interface Registration {
  add(): void;
  remove(): void;
  begin(id: number): ToHub;
  end(id: number): ToHub;
}

interface Listener {
  readonly filters: readonly [BroadcastFilter, ...BroadcastFilter[]];
  readonly hear: (broadcast: Broadcast) => unknown;
}

/** Parked tasks that are listed at most. */
const mostListed = 1_000_000;

/** Milliseconds that a timer can wait. */
const longestTime = 2_147_483_647;

/** Milliseconds that what is over waits for the hub to know it. */
const courtesy = 1_000;

/** Characters of the names that a message carries besides those with a pattern. */
const longestName = 500;

/** One program's end of the broker that is carried by one of the programs themselves. */
export class EmbeddedCommunicator implements Communicator {
  readonly #options: EmbeddedCommunicatorOptions;
  readonly #link: Link;
  readonly #requests = new Requests();
  readonly #served = new Served();
  readonly #listeners = new Map<number, Listener>();
  readonly #intakes = new Map<number, { readonly intake: Intake; readonly queue: string; readonly prefetch: number }>();
  readonly #reconnected = new Set<() => void>();
  #last = 0;
  #closed = false;

  constructor(options: EmbeddedCommunicatorOptions) {
    this.#options = options;
    this.#link = new Link({
      ...options,
      program: randomUUID(),
      hear: (connection, message, body) => this.#hear(connection, message, body),
      introduce: (connection) => this.#introduce(connection),
      lost: (error) => this.#lost(error),
      regained: () => this.#regained(),
    });
  }

  get connected(): boolean {
    return this.#link.current !== undefined;
  }

  /** Waits for the first connection. Errors: `broker-unavailable`. */
  async opened(patience: number): Promise<void> {
    if (!this.connected) await this.#link.arrival({ until: performance.now() + patience });
  }

  async sendTask(queue: string, body: Json, options: { id?: string; signal?: AbortSignal } = {}): Promise<void> {
    const task = checkName(options.id ?? randomUUID(), 'the id of a task');
    checkQueue(queue);
    const encoded = encodeBody(body);
    const limits = { until: this.#patienceEnds(), signal: options.signal };
    for (let again = false; ; again = true) {
      const message = (id: number): ToHub => ({ type: 'send-task', id, queue, task, answered: false, again });
      try {
        await this.#ask(message, encoded, limits);
        return;
      } catch (error) {
        // Whether it was stored before, the next hub knows.
        const lost = error instanceof WherryError && error.code === 'broker-lost';
        if (!lost || performance.now() > limits.until) throw error;
      }
    }
  }

  async callTask(queue: string, body: Json, patience: Patience): Promise<Json> {
    checkQueue(queue);
    const task = randomUUID();
    const message = (id: number): ToHub => ({ type: 'send-task', id, queue, task, answered: true, again: false });
    return decodeBody(await this.#askPatiently(message, encodeBody(body), patience));
  }

  async takeTasks(queue: string, { prefetch }: { readonly prefetch: number }): Promise<TaskIntake> {
    checkQueue(queue);
    if (!Number.isInteger(prefetch) || prefetch < 1) {
      throw new WherryError('message-refused', `a prefetch of ${prefetch} is none: give a whole number from 1`);
    }
    const taker = this.#next();
    const intake = new Intake({
      queue,
      ask: (connection, message, body) => this.#askOn(connection, message, body),
      end: () => registered[Symbol.asyncDispose](),
    });
    const registered = await this.#register({
      add: () => this.#intakes.set(taker, { intake, queue, prefetch }),
      remove: () => this.#intakes.delete(taker),
      begin: this.#takeMessage(taker, queue, prefetch),
      end: (id) => ({ type: 'take-no-more', id, taker }),
    });
    return intake;
  }

  async parkedTasks(queue: string, limit: number): Promise<readonly ParkedTask[]> {
    checkQueue(queue);
    const tasks: ParkedTask[] = [];
    for (let more = true; more; ) {
      const message = (id: number): ToHub => {
        return { type: 'parked', id, queue, limit: Math.min(limit, mostListed) - tasks.length, offset: tasks.length };
      };
      const rows = parkedRows.parse(decodeBody(await this.#ask(message)));
      for (const row of rows) tasks.push({ ...row, body: decodeBody(Buffer.from(row.body)) });
      more = rows.length > 0 && tasks.length < limit;
    }
    return tasks;
  }

  async resendParked(queue: string, ids: readonly string[] | 'all'): Promise<number> {
    checkQueue(queue);
    const tasks = ids === 'all' ? ids : [...ids];
    return Number(decodeBody(await this.#ask((id) => ({ type: 'resend', id, queue, tasks }))));
  }

  async dropParked(queue: string, ids: readonly string[] | 'all'): Promise<number> {
    checkQueue(queue);
    const tasks = ids === 'all' ? ids : [...ids];
    return Number(decodeBody(await this.#ask((id) => ({ type: 'drop', id, queue, tasks }))));
  }

  async queueStatus(queue: string): Promise<QueueStatus> {
    checkQueue(queue);
    return queueCounts.parse(decodeBody(await this.#ask((id) => ({ type: 'queue-status', id, queue }))));
  }

  async call(recipient: Address, method: string, body: Json, patience: Patience): Promise<Json> {
    checkAddress(recipient);
    checkName(method, 'a method');
    const timeout = Math.min(patience.timeout, longestTime);
    const message = (id: number): ToHub => ({ type: 'call', id, recipient, method, timeout });
    return decodeBody(await this.#askPatiently(message, encodeBody(body), patience));
  }

  async serve(address: Address, methods: Readonly<Record<string, Method>>): Promise<AsyncDisposable> {
    checkAddress(address);
    return this.#register({
      add: () => this.#served.add(address, methods),
      remove: () => this.#served.remove(address),
      begin: (id) => ({ type: 'serve', id, address }),
      end: (id) => ({ type: 'serve-no-more', id, address }),
    });
  }

  async broadcast(
    subject: string,
    message: { readonly sender?: Address; readonly body?: Json; readonly correlationId?: string } = {},
  ): Promise<void> {
    checkSubject(subject);
    const sender = message.sender === undefined ? null : checkAddress(message.sender);
    const correlationId =
      message.correlationId === undefined ? null : checkName(message.correlationId, 'a correlation id');
    await this.#ask(
      (id) => ({ type: 'broadcast', id, subject, sender, correlationId }),
      encodeBody(message.body ?? null),
    );
  }

  async listen(
    filters: readonly [BroadcastFilter, ...BroadcastFilter[]],
    listener: (broadcast: Broadcast) => void,
  ): Promise<AsyncDisposable> {
    for (const filter of filters) checkFilter(filter);
    const number = this.#next();
    return this.#register({
      add: () => this.#listeners.set(number, { filters, hear: listener }),
      remove: () => this.#listeners.delete(number),
      begin: listenMessage(number, filters),
      end: (id) => ({ type: 'listen-no-more', id, listener: number }),
    });
  }

  onReconnected(listener: () => void): Disposable {
    const one = () => listener();
    this.#reconnected.add(one);
    return { [Symbol.dispose]: () => void this.#reconnected.delete(one) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const error = closed();
    this.#requests.failAll(error);
    this.#served.forgetAll();
    for (const { intake } of this.#intakes.values()) intake.close(error);
    this.#intakes.clear();
    this.#listeners.clear();
    await this.#link.close(error);
  }

  #next(): number {
    this.#last += 1;
    return this.#last;
  }

  #patienceEnds(): number {
    return performance.now() + this.#options.patience;
  }

  /** Asks the hub, as soon as there is one. */
  async #ask(
    message: (id: number) => ToHub,
    body: Uint8Array = noBody,
    limits: Limits = { until: this.#patienceEnds() },
    tooLate = silent,
  ): Promise<Buffer> {
    if (this.#closed) throw closed();
    const connection = this.#link.current ?? (await this.#link.arrival(limits));
    return this.#requests.ask(connection, message, body, limits, tooLate);
  }

  /** The same, for those who said themselves how long they wait. */
  async #askPatiently(
    message: (id: number) => ToHub,
    body: Uint8Array,
    { timeout, signal }: Patience,
  ): Promise<Buffer> {
    const until = performance.now() + Math.min(timeout, longestTime);
    return this.#ask(message, body, { until, signal }, () => {
      return new WherryError('timed-out', `no answer came within ${timeout / 1_000} s`, { transient: true });
    });
  }

  /** Asks over this connection, or not at all. */
  async #askOn(connection: HubConnection, message: (id: number) => ToHub, body: Uint8Array = noBody): Promise<Buffer> {
    if (this.#closed) throw closed();
    if (connection.over) {
      throw new WherryError('broker-lost', 'its connection has broken meanwhile', { transient: true });
    }
    return this.#requests.ask(connection, message, body, { until: this.#patienceEnds() }, silent);
  }

  /** Says something to the hub that it only has to know as long as there is a connection; it need not answer. */
  async #tell(message: (id: number) => ToHub): Promise<void> {
    const connection = this.#link.current;
    if (connection === undefined) return;
    const until = performance.now() + Math.min(this.#options.patience, courtesy);
    await this.#requests.ask(connection, message, noBody, { until }, silent).catch(() => undefined);
  }

  /** Enters something here and at the hub: here first, for the hub may make use of it at once. */
  async #register({ add, remove, begin, end }: Registration): Promise<AsyncDisposable> {
    add();
    let over = false;
    const leave = async () => {
      if (over) return;
      over = true;
      remove();
      await this.#tell(end);
    };
    try {
      await this.#ask(begin);
    } catch (error) {
      // The hub may have done what we did not wait for.
      void leave();
      throw error;
    }
    return { [Symbol.asyncDispose]: leave };
  }

  /** Everything that a new hub has to know of us. */
  async #introduce(connection: HubConnection): Promise<void> {
    await Promise.all([
      ...this.#served.addresses.map((address) => this.#serveAgain(connection, address)),
      ...[...this.#listeners].map(([number, { filters }]) => this.#askOn(connection, listenMessage(number, filters))),
      ...[...this.#intakes].map(([taker, { queue, prefetch }]) =>
        this.#askOn(connection, this.#takeMessage(taker, queue, prefetch)),
      ),
    ]);
  }

  /** Another program may have taken the address meanwhile; everything else goes on without it. */
  async #serveAgain(connection: HubConnection, address: Address): Promise<void> {
    try {
      await this.#askOn(connection, (id) => ({ type: 'serve', id, address }));
    } catch (error) {
      if (!(error instanceof WherryError) || error.code !== 'name-taken') throw error;
      this.#options.onProblem(error);
    }
  }

  #takeMessage(taker: number, queue: string, prefetch: number): (id: number) => ToHub {
    return (id) => ({ type: 'take', id, taker, queue, prefetch, attempts: this.#options.attempts });
  }

  #lost(error: WherryError): void {
    this.#options.onProblem(error);
    this.#requests.failAll(new WherryError('broker-lost', error.message, { transient: true, cause: error }));
    this.#served.forgetAll();
    for (const { intake } of this.#intakes.values()) intake.lost();
  }

  #regained(): void {
    for (const listener of this.#reconnected) this.#guarded(listener);
  }

  #hear(connection: HubConnection, message: FromHub, body: Buffer): void {
    if (this.#closed) return;
    switch (message.type) {
      case 'done':
        this.#requests.settle(message.id, (answer) => answer.resolve(body));
        break;
      case 'failed':
        this.#requests.settle(message.id, (answer) => answer.reject(errorOf(message.failure)));
        break;
      case 'task':
        this.#intakes.get(message.taker)?.intake.hear(connection, message, body);
        break;
      case 'call':
        void this.#served.answer(connection, message, body);
        break;
      case 'forget':
        this.#served.forget(message.call);
        break;
      case 'broadcast':
        this.#hearBroadcast(message, body);
        break;
    }
  }

  #hearBroadcast(message: Extract<FromHub, { type: 'broadcast' }>, body: Buffer): void {
    const { subject, sender, correlationId } = message;
    let heard: Broadcast | undefined;
    for (const { filters, hear } of [...this.#listeners.values()]) {
      if (!filters.some((filter) => matches(filter, subject, sender))) continue;
      this.#guarded(() => {
        heard ??= { subject, sender: sender as Address | null, body: decodeBody(body), correlationId };
        return hear(heard);
      });
    }
  }

  /** What a listener throws is told and goes no further. */
  #guarded(work: () => unknown): void {
    try {
      const result = work();
      if (result instanceof Promise) result.catch(this.#options.onProblem);
    } catch (error) {
      this.#options.onProblem(error);
    }
  }
}

function listenMessage(listener: number, filters: readonly BroadcastFilter[]): (id: number) => ToHub {
  return (id) => ({ type: 'listen', id, listener, filters: [...filters] });
}

/** Errors: `message-refused` for a name that no message has room for. */
function checkName(name: string, what: string): string {
  if (typeof name === 'string' && name.length > 0 && name.length <= longestName) return name;
  throw new WherryError('message-refused', `${what} must have 1 to ${longestName} characters`);
}

function closed(): WherryError {
  return new WherryError('communicator-closed', 'the communicator was closed');
}

/** Nobody said how long to wait, and that was long enough. */
function silent(): WherryError {
  return new WherryError('broker-unavailable', 'the program that carries the messages does not answer', {
    transient: true,
  });
}
