import type { Message, Options } from 'amqplib';
import { z } from 'zod';
import { WherryError } from '../../errors.js';
import { decodeBody } from '../body.js';
import type { Json } from '../communicator.js';
import type { Failure } from '../failure.js';

/**
 * How messages look at the broker: the body is JSON, what kind of message it is stands in its type, and everything else
 * in its headers. It is checked wherever it arrives: the sender may be an older or newer program, or none of ours.
 */

/** Grows with every change that an older program would not understand. */
const version = 1;

const text = z.string();
const moment = z.number().int().min(0);

const headers = {
  task: z.object({ version: z.literal(version), sentAt: moment, attempt: z.number().int().min(1) }),
  parked: z.object({
    ...{ version: z.literal(version), sentAt: moment, parkedAt: moment },
    ...{ attempts: z.number().int().min(0), reason: text },
  }),
  call: z.object({ version: z.literal(version), method: text, timeout: z.number().min(0) }),
  cancel: z.object({ version: z.literal(version) }),
  probe: z.object({ version: z.literal(version) }),
  answer: z.object({ version: z.literal(version), failed: z.boolean() }),
  broadcast: z.object({
    ...{ version: z.literal(version), subject: text },
    ...{ sender: text.optional(), correlationId: text.optional() },
  }),
};

type Headers = { readonly [Type in keyof typeof headers]: z.infer<(typeof headers)[Type]> };
export type MessageType = keyof Headers;
/** What is particular to a type of message. */
type Particulars<Type extends MessageType> = Omit<Headers[Type], 'version'>;

const failureSchema = z.object({
  ...{ code: text, message: text, transient: z.boolean() },
  hint: text.optional(),
});

/** Messages of tasks must survive a restart of the broker; the others are of no use after it. */
const kept: readonly MessageType[] = ['task', 'parked'];

/** What amqplib is to send beside the body. */
export function properties<Type extends MessageType>(
  type: Type,
  particulars: Particulars<Type>,
  more: Options.Publish = {},
): Options.Publish {
  return {
    ...more,
    type,
    contentType: 'application/json',
    persistent: kept.includes(type),
    headers: { version, ...particulars },
  };
}

/** The headers of a message. Errors: `message-refused` when it is not of this type or not as it should be. */
export function readHeaders<Type extends MessageType>(message: Message, type: Type): Headers[Type] {
  const { type: actual, headers: given } = message.properties;
  if (actual !== type) throw refused(`a message is of the type ${shown(actual)} and not ${type}`);
  const written = given?.version;
  if (typeof written === 'number' && written > version) {
    throw refused(`a ${type} was written by a newer version of Wherry`, 'update this program');
  }
  const checked = headers[type].safeParse(given);
  if (!checked.success) {
    throw refused(`the headers of a ${type} are not what they should be: ${z.prettifyError(checked.error)}`);
  }
  return checked.data as Headers[Type];
}

export function typeOf(message: Message): unknown {
  return message.properties.type;
}

/** Errors: `message-refused` for what is no JSON. */
export function readBody(message: Message): Json {
  if (message.content.length === 0) throw refused('a message has no body');
  return decodeBody(message.content);
}

export function readFailure(message: Message): Failure {
  const checked = failureSchema.safeParse(readBody(message));
  if (!checked.success) throw refused('an answer tells of an error in words that cannot be read');
  return checked.data;
}

function refused(message: string, hint?: string): WherryError {
  return new WherryError('message-refused', message, hint === undefined ? {} : { hint });
}

function shown(value: unknown): string {
  return JSON.stringify(String(value).slice(0, 100));
}
