import { drainComputer, getComputer } from '../../engine/computers.js';
import { defineCommand } from '../command.js';
import { say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { label: { type: 'string', demandOption: true, describe: 'the computer' } },
  options: {},
  examples: [['$0 daint', 'finish what is there, send nothing new']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const row = await getComputer(store, given.label);
      await drainComputer(store, row);
      say(
        `${row.label} takes no new jobs; those that are there are finished. Again: wherry computer enable ${row.label}`,
      );
      return 0;
    }),
});
