import process from 'node:process';
import { Runner } from '../engine/control/runner.js';
import { importScript, scriptFailure } from '../process/modules.js';
import type { GlobalArguments } from './command.js';
import { interruption } from './interruption.js';
import { counted } from './process-text.js';
import { say } from './terminal.js';

/** Milliseconds for the ends of what a script has called, once it was interrupted or has failed. */
const killPatience = 60_000;

/**
 * Runs a script with the profile loaded: processes that it calls run in this program. It is over when they have ended,
 * whether it waits for them or not. An interruption kills them, and so does a failure of the script, of which an error that
 * nobody catches is one; a second interruption ends the program at once.
 * @param words what the script finds in `process.argv` behind its name
 */
export async function runScript(file: string, given: GlobalArguments, words: readonly string[]): Promise<number> {
  // To the very end: what the runner lets go of may be waited for by nobody.
  using stray = strayErrors();
  await using runner = await Runner.open({ home: given.home, profile: given.profile });
  using interrupted = interruption();
  const { signal } = interrupted;
  const stopped = new Promise<'interrupted'>((resolve) => {
    signal.addEventListener('abort', () => resolve('interrupted'), { once: true });
  });
  process.argv = [process.argv[0] ?? '', file, ...words];
  const script = importScript(file).then(async () => {
    await runner.allEnded(signal);
    return 'done' as const;
  });
  // After an interruption nobody waits for it any more.
  script.catch(() => undefined);
  try {
    if ((await Promise.race([script, stray.first, stopped])) === 'done') return Number(process.exitCode ?? 0);
  } catch (error) {
    if (!signal.aborted) {
      await runner.killAll('the script that ran it has failed', AbortSignal.timeout(killPatience));
      throw await scriptFailure(file, error);
    }
  }
  const count = await runner.killAll('the program that runs it was interrupted', AbortSignal.timeout(killPatience));
  say(`wherry: interrupted; ${counted(count, 'process was', 'processes were')} killed`);
  return 1;
}

/**
 * Errors of promises that nobody waits for. The first is that of the script; those that follow tell of what was ended
 * because of it.
 */
function strayErrors(): { readonly first: Promise<never> } & Disposable {
  let tell: (error: unknown) => void = () => undefined;
  const first = new Promise<never>((_resolve, reject) => {
    tell = reject;
  });
  first.catch(() => undefined);
  process.on('unhandledRejection', tell);
  return { first, [Symbol.dispose]: () => process.off('unhandledRejection', tell) };
}
