import { z } from 'zod';

/**
 * What is said between the hub and its clients. It is checked wherever it arrives: the other side may be an older or
 * newer program, or none of ours.
 */

/** Grows with every change that an older program would not understand. */
export const protocolVersion = 1;

const number = z.int().min(0);
const name = z.string().max(2_000);

const failure = z.object({
  code: z.string().max(100),
  message: z.string().max(20_000),
  hint: z.string().max(20_000).optional(),
  transient: z.boolean(),
});

const filter = z.object({ subject: name.optional(), sender: name.optional() });
const taskIds = z.union([z.literal('all'), z.array(name)]);

/** What a client says. Whatever has an `id` is answered by `done` or `failed`. */
export const toHub = z.discriminatedUnion('type', [
  /** First of all. Another connection of the same program is thereby over. */
  z.object({ type: z.literal('hello'), version: z.number(), program: name, prefersToBeHub: z.boolean() }),
  /** I am there. */
  z.object({ type: z.literal('ping') }),
  /** I am going; whatever I have not begun was not touched. */
  z.object({ type: z.literal('bye') }),

  /**
   * Its body is that of the task. With `answered`, `done` comes with the answer, and not when it is stored. With `again`,
   * it may have been stored already over a connection that broke.
   */
  z.object({
    ...{ type: z.literal('send-task'), id: number, queue: name, task: name },
    ...{ answered: z.boolean(), again: z.boolean() },
  }),
  z.object({ type: z.literal('take'), id: number, taker: number, queue: name, prefetch: number, attempts: number }),
  /** No more of them; those that have not been begun are given to others. */
  z.object({ type: z.literal('take-no-more'), id: number, taker: number }),
  /** Somebody has this task in hand: from now on it counts as an attempt. */
  z.object({ type: z.literal('begun'), delivery: number }),
  /** Its body is the answer. */
  z.object({ type: z.literal('accept'), id: number, delivery: number }),
  z.object({ type: z.literal('refuse'), id: number, delivery: number, failure }),
  z.object({ type: z.literal('park'), id: number, delivery: number, reason: name }),
  z.object({ type: z.literal('give-back'), id: number, delivery: number }),
  /** Answered with as many as fit, and with none when there are no more. */
  z.object({ type: z.literal('parked'), id: number, queue: name, limit: number, offset: number }),
  z.object({ type: z.literal('resend'), id: number, queue: name, tasks: taskIds }),
  z.object({ type: z.literal('drop'), id: number, queue: name, tasks: taskIds }),
  z.object({ type: z.literal('queue-status'), id: number, queue: name }),

  /** Its body is that of the call. */
  z.object({ type: z.literal('call'), id: number, recipient: name, method: name, timeout: z.number() }),
  /** Nobody waits any more for the answer to what I asked with this id. */
  z.object({ type: z.literal('forget'), id: number }),
  z.object({ type: z.literal('serve'), id: number, address: name }),
  z.object({ type: z.literal('serve-no-more'), id: number, address: name }),
  /** Its body is the answer to a call, where there is no failure. */
  z.object({ type: z.literal('answer'), call: number, failure: failure.optional() }),

  /** Its body is that of the broadcast. */
  z.object({
    ...{ type: z.literal('broadcast'), id: number, subject: name },
    ...{ sender: name.nullable(), correlationId: name.nullable() },
  }),
  z.object({ type: z.literal('listen'), id: number, listener: number, filters: z.array(filter) }),
  z.object({ type: z.literal('listen-no-more'), id: number, listener: number }),
]);
export type ToHub = z.infer<typeof toHub>;

/** What the hub says. */
export const fromHub = z.discriminatedUnion('type', [
  z.object({ type: z.literal('welcome') }),
  /** No connection with you, and why. */
  z.object({ type: z.literal('refused'), failure }),
  z.object({ type: z.literal('ping') }),
  /** Its body is what was asked for, if anything. */
  z.object({ type: z.literal('done'), id: number }),
  z.object({ type: z.literal('failed'), id: number, failure }),
  /** Its body is that of the task. */
  z.object({
    ...{ type: z.literal('task'), taker: number, delivery: number },
    ...{ task: name, attempt: number, sentAt: z.number(), awaited: z.boolean() },
  }),
  /** Its body is that of the call. */
  z.object({ type: z.literal('call'), call: number, address: name, method: name, timeout: z.number() }),
  z.object({ type: z.literal('forget'), call: number }),
  /** Its body is that of the broadcast. Which of your listeners want it, you see for yourself. */
  z.object({
    ...{ type: z.literal('broadcast'), subject: name },
    ...{ sender: name.nullable(), correlationId: name.nullable() },
  }),
]);
export type FromHub = z.infer<typeof fromHub>;

/** The body that answers `parked`; that of each task is JSON in JSON. */
export const parkedRows = z.array(
  z.object({
    ...{ id: name, queue: name, body: z.string(), attempts: number },
    ...{ sentAt: z.number(), parkedAt: z.number(), reason: z.string() },
  }),
);

/** The body that answers `queue-status`. */
export const queueCounts = z.object({ waiting: number, parked: number, takers: number });
