import { once } from 'node:events';
import { Readable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import type { ExecOptions } from '../../src/plugin.js';

const slice = 256 * 1024;

/**
 * Writes `prefix` and `stdin` to the command, as fast as it takes them, and ends its input. Returns early when the
 * command has ended; rejects only with an error of the source.
 */
export async function feed(
  channel: ClientChannel,
  prefix: string,
  stdin: ExecOptions['stdin'],
  signal: AbortSignal,
): Promise<void> {
  if (prefix === '' && stdin === undefined) {
    channel.end();
    return;
  }
  const closed = new AbortController();
  channel.once('close', () => closed.abort());
  const over = AbortSignal.any([signal, closed.signal]);
  for await (const chunk of chunksOf(prefix, stdin)) {
    if (over.aborted) return;
    if (!channel.write(chunk)) await drained(channel, over);
  }
  if (!over.aborted) channel.end();
}

async function drained(channel: ClientChannel, over: AbortSignal): Promise<void> {
  try {
    await once(channel, 'drain', { signal: over });
  } catch (error) {
    // The end of the channel is told by its close event, whose code says more.
    if (!over.aborted) throw error;
  }
}

async function* chunksOf(prefix: string, stdin: ExecOptions['stdin']): AsyncGenerator<Buffer> {
  if (prefix !== '') yield Buffer.from(prefix);
  if (stdin === undefined) return;
  if (stdin instanceof Readable) {
    for await (const chunk of stdin) yield Buffer.from(chunk);
    return;
  }
  const bytes = Buffer.from(stdin);
  for (let at = 0; at < bytes.length; at += slice) yield bytes.subarray(at, at + slice);
}
