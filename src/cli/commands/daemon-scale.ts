import { locateProfile } from '../../config/home.js';
import { daemonStatus, notRunning, scaleDaemon } from '../../daemon/client.js';
import type { DaemonStatus } from '../../daemon/messages.js';
import { WherryError } from '../../errors.js';
import { defineCommand } from '../command.js';
import { daemonLine, daemonTroubles, workerCount } from '../daemon-text.js';
import { watchUntil } from '../follow.js';
import { interruption } from '../interruption.js';
import { print } from '../terminal.js';

/** Milliseconds for workers to become ready or to end. */
const patience = 60_000;

export const command = defineCommand({
  positionals: { workers: { type: 'string', demandOption: true, describe: 'how many workers there shall be' } },
  options: {},
  examples: [['$0 4', 'four workers, at once; those that are too many finish their step first']],
  run: async (given) => {
    const location = locateProfile(given, process.env);
    const wanted = workerCount(given.workers, 0);
    let status: DaemonStatus | undefined = await scaleDaemon(location, wanted);
    using interrupted = interruption();
    await watchUntil(AbortSignal.any([interrupted.signal, AbortSignal.timeout(patience)]), async () => {
      status = await daemonStatus(location);
      return status === undefined || status.breaker !== null || settled(status);
    });
    if (status === undefined) throw notRunning();
    if (!settled(status)) {
      const [trouble = 'not all workers have become ready or ended yet'] = daemonTroubles(status);
      throw new WherryError('daemon-failed', trouble, { hint: 'see: wherry daemon status' });
    }
    print(`daemon ${daemonLine(status)}`);
    return 0;
  },
});

function settled({ workers, wanted }: DaemonStatus): boolean {
  return workers.length === wanted && workers.every(({ state }) => state === 'ready');
}
