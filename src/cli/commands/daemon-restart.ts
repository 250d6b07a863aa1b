import { locateProfile } from '../../config/home.js';
import { daemonStatus, stopDaemon } from '../../daemon/client.js';
import { WherryError } from '../../errors.js';
import { parseDuration } from '../../plugin/units.js';
import { defineCommand, text } from '../command.js';
import { say } from '../terminal.js';
import { startDaemon } from './daemon-start.js';

export const command = defineCommand({
  positionals: {},
  options: { timeout: text('time for the workers to end before they are killed (default: 20s)') },
  examples: [['$0', 'stop the daemon and start it with as many workers, for example after an update']],
  run: async (given) => {
    const location = locateProfile(given, process.env);
    const timeout = given.timeout === undefined ? undefined : parseDuration(given.timeout) * 1_000;
    const before = await daemonStatus(location);
    if (before?.foreground) {
      throw new WherryError('daemon-failed', 'the daemon runs in the foreground of another program', {
        hint: `restart it there: systemctl --user restart wherry-${location.profile}, or the container`,
      });
    }
    await stopDaemon(location, timeout, say);
    await startDaemon(location, Math.max(1, before?.wanted ?? 1));
    return 0;
  },
});
