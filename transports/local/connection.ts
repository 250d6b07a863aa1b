import { homedir, userInfo } from 'node:os';
import { type Connection, type Exec, type OpenOptions, shellFiles } from '../../src/plugin.js';
import { aborted, closed } from './errors.js';
import { runScript } from './exec.js';

/** A connection that needs no connecting: commands are processes of this machine. `close` ends those that still run. */
export function openConnection({ signal }: OpenOptions): Connection {
  if (signal?.aborted) throw aborted('the opening');
  const closing = new AbortController();
  const running = new Set<Promise<unknown>>();

  const exec: Exec = async (script, options) => {
    if (closing.signal.aborted) throw closed();
    const run = runScript(script, options, closing.signal);
    running.add(run);
    try {
      return await run;
    } finally {
      running.delete(run);
    }
  };
  const close = async () => {
    if (!closing.signal.aborted) closing.abort(closed());
    await Promise.allSettled(running);
  };
  return {
    ...shellFiles(exec),
    user: userInfo().username,
    home: homedir(),
    exec,
    lost: closing.signal,
    close,
    [Symbol.asyncDispose]: close,
  };
}
