import { messageOf, WherryError } from '../errors.js';
import type { Json } from './communicator.js';

/** Bytes of a body: more would hold up everything else on a connection. */
export const largestBody = 8 * 1_048_576;

/** Errors: `message-refused` for what JSON cannot say, and for what is too large. */
export function encodeBody(value: unknown): Buffer {
  if (value === undefined) return encodeBody(null);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new WherryError('message-refused', `a body cannot be sent: ${messageOf(error)}`, { cause: error });
  }
  if (text === undefined) throw new WherryError('message-refused', `a ${typeof value} cannot be sent as a body`);
  const bytes = Buffer.from(text);
  if (bytes.length <= largestBody) return bytes;
  throw new WherryError('message-refused', 'a body is larger than 8 MiB', {
    hint: 'put it into the store and send its id',
  });
}

/** Errors: `message-refused` for what is no JSON. */
export function decodeBody(bytes: Uint8Array): Json {
  try {
    return bytes.length === 0 ? null : (JSON.parse(Buffer.from(bytes).toString('utf8')) as Json);
  } catch (error) {
    throw new WherryError('message-refused', `the body of a message cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
