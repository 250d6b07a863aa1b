import { locateProfile } from '../../config/home.js';
import { stopDaemon } from '../../daemon/client.js';
import { parseDuration } from '../../plugin/units.js';
import { defineCommand, text } from '../command.js';
import { counted } from '../process-text.js';
import { print, say } from '../terminal.js';

export const command = defineCommand({
  positionals: {},
  options: { timeout: text('time for the workers to end before they are killed (default: 20s)') },
  examples: [['$0', 'stop the daemon; jobs run on, and any driver goes on with them']],
  run: async (given) => {
    const timeout = given.timeout === undefined ? undefined : parseDuration(given.timeout) * 1_000;
    const stopped = await stopDaemon(locateProfile(given, process.env), timeout, say);
    if (stopped === undefined) {
      say('no daemon runs for this profile');
      return 0;
    }
    const { killedWorkers, forced } = stopped;
    if (killedWorkers > 0) say(`${counted(killedWorkers, 'worker')} did not end in time and had to be killed`);
    if (forced?.signal === 'SIGTERM') say(`its supervisor (pid ${forced.pid}) has ended by SIGTERM`);
    if (forced?.signal === 'SIGKILL') {
      say(`its supervisor (pid ${forced.pid}) did not end by SIGTERM and was killed; its workers end by themselves`);
    }
    print('daemon stopped');
    return 0;
  },
});
