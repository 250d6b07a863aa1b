import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { basename } from 'node:path';
import { z } from 'zod';
import { socketAddress } from '../broker/socket-address.js';
import { messageOf, WherryError } from '../errors.js';
import { type DaemonReply, type DaemonRequest, mostWorkers } from './messages.js';

/** Bytes of a request, and milliseconds in which it must have come. */
const bounds = { request: 65_536, patience: 5_000 } as const;

const requestSchema = z.discriminatedUnion('command', [
  z.object({ command: z.literal('status') }),
  z.object({ command: z.literal('scale'), workers: z.int().min(0).max(mostWorkers) }),
  z.object({ command: z.literal('reload') }),
  z.object({ command: z.literal('stop'), timeout: z.number().min(0).max(86_400_000).optional() }),
]);

type Answer = (request: DaemonRequest) => Promise<DaemonReply>;

/** A socket that answers requests. */
export interface ControlServer {
  /** Takes no more connections and removes the socket's file; requests that are being answered are not cut off. */
  close(): void;
}

/**
 * Listens in the profile's directory. Whoever calls it holds the daemon's lock, so that a socket file that is there
 * already was left by a dead daemon.
 */
export async function startControlServer(
  directory: string,
  socketFile: string,
  answer: Answer,
): Promise<ControlServer> {
  rmSync(socketFile, { force: true });
  const address = socketAddress(directory, basename(socketFile));
  const server = createServer({ allowHalfOpen: true }, (socket) => void serve(socket, answer));
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(address.path, resolve);
    });
    chmodSync(socketFile, 0o600);
  } catch (error) {
    address[Symbol.dispose]();
    throw new WherryError('daemon-failed', `cannot listen on ${socketFile}: ${messageOf(error)}`, { cause: error });
  }
  return {
    close() {
      // The file goes with the server, found through its address; only then may the address go.
      server.close();
      rmSync(socketFile, { force: true });
      address[Symbol.dispose]();
    },
  };
}

async function serve(socket: Socket, answer: Answer): Promise<void> {
  // A client that went away needs no answer.
  socket.on('error', () => socket.destroy());
  const reply = await replyTo(socket, answer);
  socket.end(`${JSON.stringify(reply)}\n`);
}

async function replyTo(socket: Socket, answer: Answer): Promise<DaemonReply> {
  try {
    const request = requestSchema.safeParse(JSON.parse(await readLine(socket)));
    if (!request.success) return { error: 'this daemon does not know such a request' };
    return await answer(request.data);
  } catch (error) {
    return { error: messageOf(error) };
  }
}

/** The first line that comes. Fails when it is too long or does not come in time. */
function readLine(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error('the request did not come in time')), bounds.patience);
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      outcome();
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) settle(() => resolve(text.slice(0, text.indexOf('\n'))));
      else if (text.length > bounds.request) settle(() => reject(new Error('the request is too long')));
    });
    socket.once('close', () => settle(() => reject(new Error('the request was cut off'))));
    socket.once('end', () => settle(() => reject(new Error('the request was cut off'))));
  });
}
