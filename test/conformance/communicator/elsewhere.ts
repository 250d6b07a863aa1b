import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Json } from '../../../src/broker/communicator.js';
import type { Elsewhere } from './world.js';

const program = fileURLToPath(new URL('./other-program.js', import.meta.url));

/** A communicator in a process of its own. */
export interface OtherProgram extends AsyncDisposable {
  /** Asks it to do something (other-program.js says what there is) and gives what comes of it. */
  ask(request: Json): Promise<unknown>;
  /** The next thing that it tells of its own accord, such as that a method was called. */
  heard(): Promise<unknown>;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
}

/** Starts a program that opens a communicator from dist/, which must have been built. */
export async function startElsewhere(elsewhere: Elsewhere | undefined, more: object = {}): Promise<OtherProgram> {
  if (elsewhere === undefined) throw new Error('this world cannot be opened from elsewhere');
  const child = fork(program, [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], execArgv: [] });
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  const messages: { event?: unknown; result?: unknown; error?: string }[] = [];
  let wake: () => void = () => undefined;
  child.on('message', (message) => {
    messages.push(message as (typeof messages)[number]);
    wake();
  });
  child.on('exit', () => wake());
  const nextMessage = async (wanted: (message: (typeof messages)[number]) => boolean) => {
    for (;;) {
      const index = messages.findIndex(wanted);
      const [message] = index < 0 ? [] : messages.splice(index, 1);
      if (message !== undefined) return message;
      if (!child.connected) throw new Error(`the other program has ended: ${child.exitCode ?? child.signalCode}`);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const ask = async (request: Json) => {
    child.send(request as object);
    const { result, error } = await nextMessage((message) => 'result' in message || 'error' in message);
    if (error !== undefined) throw new Error(`the other program: ${error}`);
    return result;
  };
  const heard = async () => (await nextMessage((message) => 'event' in message)).event;
  const options = { ...(elsewhere.options as object), ...more };
  await ask({ open: { ...elsewhere, options } });
  return { ask, heard, kill, [Symbol.asyncDispose]: kill };
}
