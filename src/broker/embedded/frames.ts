import { WherryError } from '../../errors.js';

/**
 * Bytes of the parts of a frame. A longer one is nothing that we sent: the largest is a list with one parked task in it,
 * whose body is written as JSON in JSON.
 */
export const largest = { header: 1_048_576, body: 20 * 1_048_576 } as const;

/** Bytes before the header: its length and that of the body, each as an unsigned number of 32 bits. */
const prefixLength = 8;

/**
 * One message on the wire: a header of JSON, which is read and checked wherever it arrives, and a body of JSON, which
 * is the affair of those who speak to each other and is never read on its way.
 */
export interface Frame {
  readonly header: Buffer;
  readonly body: Buffer;
}

/** Errors: `message-refused` for what is too large. */
export function encodeFrame(header: object, body: Uint8Array): Buffer {
  const text = Buffer.from(JSON.stringify(header));
  if (body.length > largest.body) throw tooLarge('a body', body.length, largest.body);
  if (text.length > largest.header) throw tooLarge('the names in a message', text.length, largest.header);
  const frame = Buffer.allocUnsafe(prefixLength + text.length + body.length);
  frame.writeUInt32BE(text.length, 0);
  frame.writeUInt32BE(body.length, 4);
  text.copy(frame, prefixLength);
  frame.set(body, prefixLength + text.length);
  return frame;
}

function tooLarge(what: string, bytes: number, bound: number): WherryError {
  return new WherryError('message-refused', `${what} of ${bytes} bytes cannot be sent; ${bound} are allowed`, {
    hint: 'store large values and send where they are',
  });
}

/** Makes frames of the chunks that a socket gives. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;
  /** So many bytes must be there before the next frame can be whole. */
  #needed = prefixLength;

  /** Errors: `message-refused` for what is no frame; nothing after it can be read. */
  read(chunk: Buffer): Frame[] {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    if (this.#length < this.#needed) return [];
    const frames: Frame[] = [];
    let rest = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    for (let end = endOfFrame(rest); ; end = endOfFrame(rest)) {
      this.#needed = end;
      if (rest.length < end) break;
      const body = prefixLength + rest.readUInt32BE(0);
      frames.push({ header: rest.subarray(prefixLength, body), body: rest.subarray(body, end) });
      rest = rest.subarray(end);
    }
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#length = rest.length;
    return frames;
  }
}

/** Where the first frame ends, as far as that can be said already. */
function endOfFrame(bytes: Buffer): number {
  if (bytes.length < prefixLength) return prefixLength;
  const header = bytes.readUInt32BE(0);
  const body = bytes.readUInt32BE(4);
  if (header > largest.header || body > largest.body) {
    throw new WherryError('message-refused', `a frame of ${header} + ${body} bytes came, which nobody sends`);
  }
  return prefixLength + header + body;
}
