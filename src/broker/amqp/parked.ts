import type { Channel, GetMessage } from 'amqplib';
import { messageOf } from '../../errors.js';
import type { ParkedTask } from '../communicator.js';
import type { Limits } from '../expectation.js';
import { properties, readBody, readHeaders } from './envelope.js';
import type { Link } from './link.js';
import type { Publisher } from './publisher.js';
import { alone, type Topology } from './topology.js';

export interface ParkedTools {
  readonly topology: Topology;
  readonly publisher: Publisher;
}

/**
 * Looks at the parked tasks of a queue, one after another: what it has not been told to take away goes back to its place.
 * One at a time does so, because whoever looks at a message hides it from others meanwhile.
 *
 * @param visit is given each task; true when the message has been dealt with and is to go
 */
async function visitParked(
  { topology }: ParkedTools,
  link: Link,
  queue: string,
  limits: Limits,
  limit: number,
  visit: (task: ParkedTask, message: GetMessage) => Promise<boolean>,
): Promise<void> {
  await alone(link, topology.lock(`parked.${queue}`), limits, () =>
    link.briefly(async (channel) => {
      await topology.makeTaskQueues(channel, queue);
      const { messageCount } = await channel.checkQueue(topology.parkedQueue(queue));
      const left: GetMessage[] = [];
      try {
        for (let count = Math.min(limit, messageCount); count > 0; count--) {
          const message = await channel.get(topology.parkedQueue(queue));
          if (message === false) break;
          left.push(message);
          if (!(await visit(readParked(queue, message), message))) continue;
          channel.ack(message);
          left.pop();
        }
      } finally {
        if (!link.ended) returnAll(channel, left);
      }
    }),
  );
}

function returnAll(channel: Channel, messages: readonly GetMessage[]): void {
  const last = messages.at(-1);
  // In one piece, so that they come back in their order. Those that were taken away are acknowledged already.
  if (last !== undefined) channel.nack(last, true, true);
}

/** One that is not as it should be is shown all the same: a person is to look at it. */
function readParked(queue: string, message: GetMessage): ParkedTask {
  const id = String(message.properties.messageId);
  try {
    const { attempts, sentAt, parkedAt, reason } = readHeaders(message, 'parked');
    return { id, queue, body: readBody(message), attempts, sentAt, parkedAt, reason };
  } catch (error) {
    const body = message.content.toString('utf8');
    return { id, queue, body, attempts: 0, sentAt: 0, parkedAt: 0, reason: `it cannot be read: ${messageOf(error)}` };
  }
}

export async function lookAtParked(
  tools: ParkedTools,
  link: Link,
  queue: string,
  limits: Limits,
  limit: number,
): Promise<ParkedTask[]> {
  const seen: ParkedTask[] = [];
  await visitParked(tools, link, queue, limits, limit, async (task) => {
    seen.push(task);
    return false;
  });
  return seen;
}

export async function dropParkedTasks(
  tools: ParkedTools,
  link: Link,
  queue: string,
  limits: Limits,
  ids: readonly string[] | 'all',
): Promise<number> {
  const wanted = chosen(ids);
  let count = 0;
  await visitParked(tools, link, queue, limits, Number.POSITIVE_INFINITY, async (task) => {
    if (!wanted(task.id)) return false;
    count++;
    return true;
  });
  return count;
}

export async function resendParkedTasks(
  tools: ParkedTools,
  link: Link,
  queue: string,
  limits: Limits,
  ids: readonly string[] | 'all',
): Promise<number> {
  const { publisher, topology } = tools;
  const wanted = chosen(ids);
  let count = 0;
  await visitParked(tools, link, queue, limits, Number.POSITIVE_INFINITY, async (task, message) => {
    if (!wanted(task.id)) return false;
    const { messageId, correlationId, replyTo } = message.properties;
    const same = { messageId, ...(correlationId && { correlationId }), ...(replyTo && { replyTo }) };
    const again = properties('task', { attempt: 1, sentAt: task.sentAt }, same);
    const sending = { exchange: topology.tasks, key: queue, body: message.content, properties: again };
    if (!(await publisher.send({ ...sending, repeatable: false }, limits))) return false;
    count++;
    return true;
  });
  return count;
}

function chosen(ids: readonly string[] | 'all'): (id: string) => boolean {
  if (ids === 'all') return () => true;
  const set = new Set(ids);
  return (id) => set.has(id);
}
