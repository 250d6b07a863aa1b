import type { ConsumeMessage } from 'amqplib';
import type { WherryError } from '../../errors.js';
import type { Task, TaskIntake } from '../communicator.js';
import { Expectation } from '../expectation.js';
import { Delivery } from './delivery.js';
import { readBody, readHeaders } from './envelope.js';
import type { Link } from './link.js';
import { type ReadTask, TakenTask, type TaskTools } from './taken-task.js';
import { closedError } from './troubles.js';

/** Takes tasks of one queue; it outlives its connections. */
export class Intake implements TaskIntake {
  readonly queue: string;
  readonly #prefetch: number;
  readonly #tools: TaskTools;
  readonly #onEnd: (intake: Intake) => void;
  readonly #buffer: TakenTask[] = [];
  readonly #asking = new Set<Expectation<Task>>();
  #delivery: Delivery | undefined;
  #ended = false;

  constructor(queue: string, prefetch: number, tools: TaskTools, onEnd: (intake: Intake) => void) {
    this.queue = queue;
    this.#prefetch = prefetch;
    this.#tools = tools;
    this.#onEnd = onEnd;
  }

  async attach(link: Link): Promise<void> {
    const { topology } = this.#tools;
    const channel = await link.channel();
    await topology.makeTaskQueues(channel, this.queue);
    await channel.prefetch(this.#prefetch);
    // The name is ours to give, so that it is known before the first task comes.
    const consumer = `intake-${++consumers}`;
    const delivery = new Delivery(link, channel, consumer);
    const hear = (message: ConsumeMessage | null) => this.#hear(delivery, message);
    await channel.consume(topology.taskQueue(this.queue), hear, { consumerTag: consumer });
    this.#delivery = delivery;
  }

  /** Tasks that nobody has taken out go with the connection; they come again. */
  detach(error: WherryError): void {
    this.#buffer.length = 0;
    this.#delivery = undefined;
    if (error.code === 'communicator-closed') this.#endAsking();
  }

  async next({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Task> {
    if (this.#ended) throw closedError();
    const asking = new Expectation<Task>({ signal }, closedError);
    const buffered = asking.settled ? undefined : this.#buffer.shift();
    if (buffered) asking.resolve(buffered);
    this.#asking.add(asking);
    try {
      return await asking.promise;
    } finally {
      this.#asking.delete(asking);
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Task> {
    while (!this.#ended) {
      let task: Task;
      try {
        task = await this.next();
      } catch (error) {
        if (this.#ended && (error as WherryError).code === 'communicator-closed') return;
        throw error;
      }
      yield task;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#endAsking();
    this.#onEnd(this);
    await this.handBack();
  }

  /** Takes no more, and gives what nobody has taken out to others, without that being an attempt. */
  async handBack(): Promise<void> {
    this.#endAsking();
    const delivery = this.#delivery;
    this.#delivery = undefined;
    if (delivery === undefined || delivery.link.ended) return;
    try {
      await delivery.channel.cancel(delivery.consumer);
      await Promise.all(this.#buffer.splice(0).map((task) => task.handBack()));
      delivery.draining = true;
      delivery.endWhenDone();
    } catch {
      // The connection broke: the broker gives them to others.
    }
  }

  #endAsking(): void {
    this.#ended = true;
    for (const asking of [...this.#asking]) asking.reject(closedError());
  }

  #hear(delivery: Delivery, message: ConsumeMessage | null): void {
    if (message === null) {
      this.#restart(delivery);
      return;
    }
    delivery.open++;
    let task: TakenTask;
    try {
      task = new TakenTask(delivery, message, readTask(this.queue, message), this.#tools);
    } catch (error) {
      this.#tools.report(error);
      TakenTask.parkUnreadable(delivery, message, this.queue, error as WherryError, this.#tools);
      return;
    }
    // Its taker died, or lost the connection: that was an attempt, which only another message can tell the next one.
    if (message.fields.redelivered) void task[Symbol.asyncDispose]();
    else this.#give(task);
  }

  #give(task: TakenTask): void {
    const [asking] = this.#asking;
    if (asking === undefined) this.#buffer.push(task);
    else {
      this.#asking.delete(asking);
      asking.resolve(task);
    }
  }

  /** Somebody deleted the queue: it is made again. */
  #restart(delivery: Delivery): void {
    if (delivery !== this.#delivery) return;
    delivery.draining = true;
    delivery.endWhenDone();
    this.attach(delivery.link).catch((error: unknown) => this.#tools.report(error));
  }
}

let consumers = 0;

function readTask(queue: string, message: ConsumeMessage): ReadTask {
  const { attempt, sentAt } = readHeaders(message, 'task');
  return { id: String(message.properties.messageId), queue, body: readBody(message), attempt, sentAt };
}
