import { randomUUID } from 'node:crypto';
import { WherryError } from '../../errors.js';
import { encodeBody } from '../body.js';
import type * as contract from '../communicator.js';
import type { Address, Broadcast, BroadcastFilter, Json, Method, Patience } from '../communicator.js';
import { abortedError, type Limits } from '../expectation.js';
import { checkAddress, checkFilter, checkQueue, checkSubject } from '../names.js';
import { Broadcasts, broadcastKey, type Ear } from './broadcasts.js';
import { Connection, type ConnectionOptions } from './connection.js';
import { properties } from './envelope.js';
import { Intake } from './intake.js';
import type { Link, Part } from './link.js';
import { dropParkedTasks, lookAtParked, type ParkedTools, resendParkedTasks } from './parked.js';
import { Publisher } from './publisher.js';
import { type Question, Questions } from './questions.js';
import { Service, takenError } from './service.js';
import type { TaskTools } from './taken-task.js';
import { Topology } from './topology.js';
import { closedError } from './troubles.js';

export interface CommunicatorSettings extends ConnectionOptions {
  readonly prefix: string;
  readonly attempts: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** A communicator over RabbitMQ: checks what it is given and hands it to those who know how to do it. */
export class AmqpCommunicator implements contract.Communicator {
  readonly #topology: Topology;
  readonly #publisher = new Publisher();
  readonly #questions: Questions;
  readonly #service: Service;
  readonly #broadcasts: Broadcasts;
  readonly #intakes = new Set<Intake>();
  readonly #taskTools: TaskTools;
  readonly #now: () => number;
  #connection: Connection | undefined;

  private constructor({ prefix, attempts, now }: CommunicatorSettings) {
    const report = (problem: unknown) => this.#connection?.report(problem);
    const limits = () => this.#limits();
    const closed = () => this.#connection?.closed ?? false;
    this.#now = now;
    this.#topology = new Topology(prefix);
    this.#questions = new Questions(report);
    const common = { topology: this.#topology, publisher: this.#publisher, limits, report };
    this.#service = new Service({ ...common, questions: this.#questions });
    this.#broadcasts = new Broadcasts(this.#topology, report);
    this.#taskTools = { ...common, attempts, now, closed };
  }

  static async open(settings: CommunicatorSettings): Promise<AmqpCommunicator> {
    const communicator = new AmqpCommunicator(settings);
    communicator.#connection = await Connection.open(settings, communicator.#parts());
    return communicator;
  }

  get connected(): boolean {
    return this.#connection?.connected ?? false;
  }

  async sendTask(queue: string, body: Json, options: { readonly id?: string; readonly signal?: AbortSignal } = {}) {
    const { id = randomUUID(), signal } = options;
    const question = this.#task(queue, body, id);
    const limits = this.#limits(signal);
    if (signal?.aborted) throw abortedError();
    for (;;) {
      await this.#makeQueue(queue, limits);
      if (await this.#publisher.send({ ...question, repeatable: true }, limits)) return;
      // Somebody has deleted the queue: it is made again.
      await this.#forgetQueue(queue, limits);
    }
  }

  async callTask(queue: string, body: Json, patience: Patience): Promise<Json> {
    const question = this.#task(queue, body, randomUUID());
    const limits = limitsOf(patience);
    for (;;) {
      await this.#makeQueue(queue, limits);
      try {
        return await this.#questions.ask(question, limits);
      } catch (error) {
        if ((error as WherryError).code !== 'unroutable') throw error;
        await this.#forgetQueue(queue, limits);
      }
    }
  }

  async takeTasks(queue: string, { prefetch }: { readonly prefetch: number }): Promise<contract.TaskIntake> {
    checkQueue(queue);
    if (!Number.isInteger(prefetch) || prefetch < 1 || prefetch > 65_535) {
      throw new WherryError('message-refused', 'the prefetch is a whole number from 1 to 65535');
    }
    const work = async (link: Link) => {
      const intake = new Intake(queue, prefetch, this.#taskTools, (ended) => this.#intakes.delete(ended));
      await intake.attach(link);
      this.#intakes.add(intake);
      return intake;
    };
    return this.#open().use(this.#limits(), work, (intake) => intake[Symbol.asyncDispose]());
  }

  async parkedTasks(queue: string, limit: number): Promise<readonly contract.ParkedTask[]> {
    return this.#withParked(queue, (tools, link, limits) => lookAtParked(tools, link, queue, limits, limit));
  }

  async resendParked(queue: string, ids: readonly string[] | 'all'): Promise<number> {
    return this.#withParked(queue, (tools, link, limits) => resendParkedTasks(tools, link, queue, limits, ids));
  }

  async dropParked(queue: string, ids: readonly string[] | 'all'): Promise<number> {
    return this.#withParked(queue, (tools, link, limits) => dropParkedTasks(tools, link, queue, limits, ids));
  }

  async queueStatus(queue: string): Promise<contract.QueueStatus> {
    checkQueue(queue);
    return this.#use((link) =>
      link.briefly(async (channel) => {
        await this.#topology.makeTaskQueues(channel, queue);
        const tasks = await channel.checkQueue(this.#topology.taskQueue(queue));
        const parked = await channel.checkQueue(this.#topology.parkedQueue(queue));
        return { waiting: tasks.messageCount, takers: tasks.consumerCount, parked: parked.messageCount };
      }),
    );
  }

  async call(recipient: Address, method: string, body: Json, patience: Patience): Promise<Json> {
    this.#checkOpen();
    checkAddress(recipient);
    const { timeout } = patience;
    const call = properties('call', { method, timeout });
    const question = { exchange: this.#topology.calls, key: recipient, body: encodeBody(body), properties: call };
    return this.#questions.ask(question, limitsOf(patience));
  }

  async serve(address: Address, methods: Readonly<Record<string, Method>>): Promise<AsyncDisposable> {
    this.#checkOpen();
    checkAddress(address);
    if (this.#service.has(address)) throw takenError(address);
    const limits = this.#limits();
    const serve = (link: Link) => this.#service.serve(link, address, methods, limits);
    await this.#open().use(limits, serve, (_, link) => this.#service.withdraw(link, address));
    return this.#ending(async () => {
      await this.#useQuietly((link) => this.#service.withdraw(link, address));
      this.#service.forget(address);
    });
  }

  async broadcast(
    subject: string,
    message: { readonly sender?: Address; readonly body?: Json; readonly correlationId?: string } = {},
  ): Promise<void> {
    this.#checkOpen();
    checkSubject(subject);
    const { sender, correlationId } = message;
    if (sender !== undefined) checkAddress(sender);
    const headers = { subject, ...(sender && { sender }), ...(correlationId !== undefined && { correlationId }) };
    const key = broadcastKey(subject, sender);
    const body = encodeBody(message.body);
    const sending = { exchange: this.#topology.broadcasts, key, body, properties: properties('broadcast', headers) };
    await this.#publisher.send({ ...sending, repeatable: true, mandatory: false }, this.#limits());
  }

  async listen(
    filters: readonly [BroadcastFilter, ...BroadcastFilter[]],
    listener: (broadcast: Broadcast) => void,
  ): Promise<AsyncDisposable> {
    this.#checkOpen();
    const ear: Ear = { filters: filters.map((filter) => checkFilter(filter)), listener };
    const add = (link: Link) => this.#broadcasts.add(link, ear);
    await this.#open().use(this.#limits(), add, async (_, link) => {
      this.#broadcasts.remove(ear);
      await this.#broadcasts.unbind(link, ear);
    });
    return this.#ending(async () => {
      this.#broadcasts.remove(ear);
      await this.#useQuietly((link) => this.#broadcasts.unbind(link, ear));
    });
  }

  onReconnected(listener: () => void): Disposable {
    return this.#open().onReconnected(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection?.close();
  }

  /** In the order in which they need each other on a new connection. */
  #parts(): readonly Part[] {
    const exchanges: Part = {
      attach: (link) => link.briefly((channel) => this.#topology.makeExchanges(channel)),
      detach: () => undefined,
    };
    const intakes: Part = {
      attach: async (link) => void (await Promise.all([...this.#intakes].map((intake) => intake.attach(link)))),
      detach: (error) => {
        for (const intake of [...this.#intakes]) intake.detach(error);
      },
      farewell: async () => void (await Promise.all([...this.#intakes].map((intake) => intake.handBack()))),
    };
    return [exchanges, this.#publisher, this.#questions, this.#service, this.#broadcasts, intakes];
  }

  #open(): Connection {
    if (this.#connection === undefined) throw closedError();
    return this.#connection;
  }

  #checkOpen(): void {
    if (this.#open().closed) throw closedError();
  }

  #limits(signal?: AbortSignal): Limits {
    return this.#open().limits(signal);
  }

  #use<T>(work: (link: Link) => Promise<T>, limits = this.#limits()): Promise<T> {
    return this.#open().use(limits, work);
  }

  /** For what goes with the connection anyhow. */
  async #useQuietly(work: (link: Link) => Promise<unknown>): Promise<void> {
    if (!this.connected) return;
    await this.#use(work).catch(() => undefined);
  }

  #ending(end: () => Promise<void>): AsyncDisposable {
    let ended: Promise<void> | undefined;
    return {
      [Symbol.asyncDispose]: () => {
        ended ??= end();
        return ended;
      },
    };
  }

  #withParked<T>(queue: string, work: (tools: ParkedTools, link: Link, limits: Limits) => Promise<T>): Promise<T> {
    checkQueue(queue);
    const limits = this.#limits();
    const tools = { topology: this.#topology, publisher: this.#publisher };
    return this.#use((link) => work(tools, link, limits), limits);
  }

  #task(queue: string, body: Json, id: string): Question {
    this.#checkOpen();
    checkQueue(queue);
    const bytes = Buffer.byteLength(id);
    if (bytes < 1 || bytes > 200) throw new WherryError('message-refused', 'the id of a task has 1 to 200 bytes');
    const task = properties('task', { attempt: 1, sentAt: this.#now() }, { messageId: id });
    return { exchange: this.#topology.tasks, key: queue, body: encodeBody(body), properties: task };
  }

  async #makeQueue(queue: string, limits: Limits): Promise<void> {
    await this.#use(async (link) => {
      if (link.known.has(queue)) return;
      await link.briefly((channel) => this.#topology.makeTaskQueues(channel, queue));
      link.known.add(queue);
    }, limits);
  }

  async #forgetQueue(queue: string, limits: Limits): Promise<void> {
    await this.#use(async (link) => void link.known.delete(queue), limits);
  }
}

function limitsOf({ timeout, signal }: Patience): Limits {
  return { until: performance.now() + timeout, signal };
}
