import { locateProfile } from '../../config/home.js';
import { reloadDaemon } from '../../daemon/client.js';
import { WherryError } from '../../errors.js';
import { defineCommand, json } from '../command.js';
import { interruption } from '../interruption.js';
import { counted } from '../process-text.js';
import { print, printJson } from '../terminal.js';

export const command = defineCommand({
  positionals: {},
  options: { json },
  examples: [['$0', 'workers that run the code which is installed now, without a moment in which none is ready']],
  run: async (given) => {
    using interrupted = interruption();
    const reloaded = await reloadDaemon(locateProfile(given, process.env), interrupted.signal);
    if (given.json) printJson(reloaded);
    else print(`${counted(reloaded.replaced, 'worker')} replaced`);
    if (reloaded.stopped === null) return 0;
    throw new WherryError('daemon-failed', reloaded.stopped, { hint: 'see: wherry daemon status' });
  },
});
