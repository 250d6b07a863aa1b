import { locateProfile } from '../../config/home.js';
import { stopDaemon } from '../../daemon/client.js';
import { stopTimeout } from '../../daemon/stop-timeout.js';
import { parseDuration } from '../../plugin/units.js';
import { defineCommand, text } from '../command.js';
import { counted } from '../process-text.js';
import { print, say } from '../terminal.js';

export const command = defineCommand({
  positionals: {},
  options: { timeout: text('time for the workers to end before they are killed (default: 20s)') },
  examples: [['$0', 'stop the daemon; jobs run on, and any driver goes on with them']],
  run: async (given) => {
    const timeout = given.timeout === undefined ? stopTimeout : parseDuration(given.timeout) * 1_000;
    const killed = await stopDaemon(locateProfile(given, process.env), timeout);
    if (killed === undefined) {
      say('no daemon runs for this profile');
      return 0;
    }
    if (killed > 0) say(`${counted(killed, 'worker')} did not end in time and had to be killed`);
    print('daemon stopped');
    return 0;
  },
});
