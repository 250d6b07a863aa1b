import process from 'node:process';
import { Runner } from '../engine/control/runner.js';
import { importScript } from '../process/modules.js';
import type { GlobalArguments } from './command.js';
import { interruption } from './interruption.js';
import { counted } from './process-text.js';
import { say } from './terminal.js';

/** Milliseconds for the ends of what a script has called, once it was interrupted. */
const killPatience = 60_000;

/**
 * Runs a script with the profile loaded: processes that it calls run in this program. An interruption kills them, and
 * is over when they have ended; a second one ends the program at once.
 * @param words what the script finds in `process.argv` behind its name
 */
export async function runScript(file: string, given: GlobalArguments, words: readonly string[]): Promise<number> {
  await using runner = await Runner.open({ home: given.home, profile: given.profile });
  using interrupted = interruption();
  const { signal } = interrupted;
  const stopped = new Promise<'interrupted'>((resolve) => {
    signal.addEventListener('abort', () => resolve('interrupted'), { once: true });
  });
  process.argv = [process.argv[0] ?? '', file, ...words];
  const script = importScript(file).then(() => 'done' as const);
  // After an interruption nobody waits for it any more.
  script.catch(() => undefined);
  try {
    if ((await Promise.race([script, stopped])) === 'done') return Number(process.exitCode ?? 0);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const count = await runner.killAll('the program that runs it was interrupted', AbortSignal.timeout(killPatience));
  say(`wherry: interrupted; ${counted(count, 'process was', 'processes were')} killed`);
  return 1;
}
