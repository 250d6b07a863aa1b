import { disableComputer, getComputer } from '../../engine/computers.js';
import { defineCommand } from '../command.js';
import { say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { label: { type: 'string', demandOption: true, describe: 'the computer' } },
  options: {},
  examples: [['$0 daint', 'send nothing at all, e.g. during a maintenance']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const row = await getComputer(store, given.label);
      await disableComputer(store, row);
      say(
        `${row.label} is disabled: nothing at all is sent to it; jobs in its queue run on. Again: wherry computer enable ${row.label}`,
      );
      return 0;
    }),
});
