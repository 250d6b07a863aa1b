/**
 * How programs of one profile speak to each other: tasks that somebody shall do, calls that somebody shall answer, and
 * broadcasts that anybody may hear. Messages only hurry: what is to be done stands in the store, so that losing every
 * message loses no work.
 *
 * There are two implementations, `embedded` (one host, no service) and `amqp` (RabbitMQ); one suite of tests holds both
 * to what is written here (test/conformance/communicator/).
 */

/** What a message carries. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Who is spoken to or speaks: a kind and an identifier, such as `process.17` or `worker.5f0c…`. Each is made of letters,
 * digits, `_` and `-`.
 */
export type Address = `${string}.${string}`;

/** How long somebody waits for an answer. */
export interface Patience {
  /** Milliseconds; the other side is told, and what it does for us is aborted then. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
}

export interface Broadcast {
  /** Words of letters, digits, `_` and `-`, joined by dots, such as `state.calcjob.running.finished`. */
  readonly subject: string;
  readonly sender: Address | null;
  readonly body: Json;
  /** Ties together what belongs together; it means nothing to the broker. */
  readonly correlationId: string | null;
}

/** What is heard: all that is given must match. In both `*` stands for one word; in a subject `#` for any number. */
export interface BroadcastFilter {
  readonly subject?: string;
  /** Broadcasts without a sender match only where none is asked for. */
  readonly sender?: string;
}

/**
 * A task that somebody has been given. It must be accepted, parked or refused; one that is disposed of before goes back
 * to the end of its queue as another attempt, and is parked when it has had all its attempts. The same holds when its
 * taker dies or loses the connection.
 */
export interface Task extends AsyncDisposable {
  /** Of the task, not of the message: the same in every attempt, so that it can be done once. */
  readonly id: string;
  readonly queue: string;
  readonly body: Json;
  /** 1 the first time. */
  readonly attempt: number;
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
  /** Does somebody wait for the answer? Else an error that is nobody's business is worth parking the task for. */
  readonly awaited: boolean;
  /** Who waits for the answer hears it; a task is acknowledged when its work is claimed, not when it is done. */
  accept(answer?: Json): Promise<void>;
  /** Done with: whoever waits for the answer gets this error. */
  refuse(error: unknown): Promise<void>;
  /** Put aside for a person to look at. Whoever waits for the answer waits on. */
  park(reason: string): Promise<void>;
}

/**
 * Tasks of one queue as they come to this taker, at most `prefetch` at a time that are not yet dealt with. Once it is
 * disposed of, iterations end and `next` fails with `communicator-closed`; tasks that nobody has taken out of it come to
 * others, which is no attempt, and those that were taken out can still be dealt with.
 */
export interface TaskIntake extends AsyncDisposable, AsyncIterable<Task> {
  /** Waits for the next task. Errors: `aborted` by the signal; `communicator-closed`. It outlives reconnections. */
  next(options?: { readonly signal?: AbortSignal }): Promise<Task>;
}

/** A task that was put aside. */
export interface ParkedTask {
  readonly id: string;
  readonly queue: string;
  readonly body: Json;
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly sentAt: number;
  readonly parkedAt: number;
  readonly reason: string;
}

export interface QueueStatus {
  readonly waiting: number;
  readonly parked: number;
  readonly takers: number;
}

/** Answers one method. The signal comes when nobody waits for the answer any more. */
export type Method = (body: Json, context: { readonly signal: AbortSignal }) => Promise<Json> | Json;

/**
 * Errors of all functions: `communicator-closed` after the end; `broker-lost` (transient) when the connection breaks
 * before the answer; `broker-unavailable` (transient) when there is no connection and none comes in time; `aborted`;
 * `timed-out`; `message-refused` for names and bodies that cannot be sent. Nothing waits for ever: what has no patience
 * of its own is given up after 10 s.
 */
export interface Communicator extends AsyncDisposable {
  /** Is there a connection now? */
  readonly connected: boolean;

  /** Puts a task into a durable queue, which is made when it does not exist. It is stored when this returns. */
  sendTask(queue: string, body: Json, options?: { readonly id?: string; readonly signal?: AbortSignal }): Promise<void>;
  /** Puts a task into a queue and waits for the answer of whoever accepts it. Errors: those of the taker. */
  callTask(queue: string, body: Json, patience: Patience): Promise<Json>;
  /** Takes tasks of a queue. @param prefetch at least 1 */
  takeTasks(queue: string, options: { readonly prefetch: number }): Promise<TaskIntake>;
  /** Tasks of a queue that were put aside, oldest first, at most `limit`. They stay. */
  parkedTasks(queue: string, limit: number): Promise<readonly ParkedTask[]>;
  /** Puts parked tasks back into their queue, with a full count of attempts. @returns how many */
  resendParked(queue: string, ids: readonly string[] | 'all'): Promise<number>;
  /** Throws parked tasks away. @returns how many */
  dropParked(queue: string, ids: readonly string[] | 'all'): Promise<number>;
  queueStatus(queue: string): Promise<QueueStatus>;

  /**
   * Asks somebody and waits for the answer.
   * Errors: `unroutable` at once when nobody has this address; `message-refused` when there is no such method; the error
   * of the method, with its code, message, hint and whether it is transient (`internal` when it was none of ours).
   */
  call(recipient: Address, method: string, body: Json, patience: Patience): Promise<Json>;
  /**
   * Answers calls to an address until it is disposed of. One may have many addresses.
   * Errors: `name-taken` when somebody answers to it already.
   */
  serve(address: Address, methods: Readonly<Record<string, Method>>): Promise<AsyncDisposable>;

  /** Tells everybody who listens; nobody need do so. It has reached the broker when this returns. */
  broadcast(
    subject: string,
    message?: { readonly sender?: Address; readonly body?: Json; readonly correlationId?: string },
  ): Promise<void>;
  /**
   * Hears broadcasts until it is disposed of; the broker sends only those that match one of the filters. One that
   * several match is heard once. What a listener throws is its own affair: it is told to `onProblem` and nobody else.
   */
  listen(
    filters: readonly [BroadcastFilter, ...BroadcastFilter[]],
    listener: (broadcast: Broadcast) => void,
  ): Promise<AsyncDisposable>;

  /**
   * Called when the connection is there again after it was lost, with everything that was served, taken and listened
   * to: what was told meanwhile has been missed.
   */
  onReconnected(listener: () => void): Disposable;

  /** Ends at once, also when the connection is gone or the broker hangs; what waits fails with `communicator-closed`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What both implementations are opened with. */
export interface CommunicatorOptions {
  /** Told of what nobody waits for: a message that cannot be read, a listener that failed, a lost connection. */
  readonly onProblem?: (error: unknown) => void;
  /** Times that a task is given to somebody before it is parked. Default: 5. */
  readonly attempts?: number;
  /** Milliseconds after which what has no patience of its own is given up. Default: 10 000. */
  readonly patience?: number;
}
