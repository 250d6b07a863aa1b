import { locateProfile, type ProfileLocation } from '../../config/home.js';
import { daemonStatus } from '../../daemon/client.js';
import { runDaemon, tellStarter } from '../../daemon/daemon.js';
import { launchDaemon } from '../../daemon/launch.js';
import { lastLogLines, logSize } from '../../daemon/log-reader.js';
import { daemonPlaces } from '../../daemon/places.js';
import { messageOf, WherryError } from '../../errors.js';
import { defineCommand, flag, text } from '../command.js';
import { logLineText } from '../daemon-log-text.js';
import { daemonLine, warnOfDifference, workerCount } from '../daemon-text.js';
import { interruption } from '../interruption.js';
import { print, say } from '../terminal.js';

export const command = defineCommand({
  positionals: {},
  options: {
    workers: text('how many workers (default: 1)'),
    foreground: flag('run here until SIGTERM or Ctrl-C, for containers and systemd'),
  },
  examples: [
    ['$0', 'a daemon with one worker'],
    ['$0 --workers 4', 'with four'],
    ['$0 --foreground', 'as the program of a container'],
  ],
  run: async (given) => {
    const location = locateProfile(given, process.env);
    const workers = workerCount(given.workers ?? '1', 1);
    if (given.foreground) await runHere(location, workers);
    else await startDaemon(location, workers);
    return 0;
  },
});

/** Starts a daemon behind the command and tells how that went. */
export async function startDaemon(location: ProfileLocation, workers: number): Promise<void> {
  const running = await daemonStatus(location);
  if (running !== undefined) {
    warnOfDifference(running);
    throw new WherryError('daemon-running', `a daemon is ${daemonLine(running)} already`, {
      hint: 'change it with: wherry daemon scale N, or wherry daemon restart',
    });
  }
  const { logFile } = daemonPlaces(location);
  const before = logSize(logFile);
  using interrupted = interruption();
  try {
    print(`daemon ${daemonLine(await launchDaemon(location, workers, interrupted.signal))}`);
  } catch (error) {
    // Only what this start has written; the rest tells of other days.
    if (logSize(logFile) > before) for (const line of lastLogLines(logFile, 10)) say(logLineText(line));
    throw error;
  }
}

async function runHere(location: ProfileLocation, workers: number): Promise<void> {
  // Behind a starter there is a channel, and nobody who reads.
  const foreground = process.send === undefined;
  const echo = (line: string) => process.stderr.write(line);
  // Other commands end when nobody reads them any more; a daemon has work to give back, and its log is in a file too.
  process.stderr.removeAllListeners('error').on('error', () => undefined);
  try {
    await runDaemon(location, { workers, foreground, ...(foreground ? { echo } : {}) });
  } catch (error) {
    if (foreground) throw error;
    const { code, hint } = error instanceof WherryError ? error : { code: 'daemon-failed', hint: undefined };
    tellStarter({ type: 'failed', code, message: messageOf(error), hint });
    process.exitCode = 1;
  } finally {
    if (process.connected) process.disconnect();
  }
}
