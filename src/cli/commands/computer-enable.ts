import { enableComputer, getComputer } from '../../engine/computers.js';
import { defineCommand } from '../command.js';
import { say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { label: { type: 'string', demandOption: true, describe: 'the computer' } },
  options: {},
  examples: [['$0 daint', 'use it again after a drain, a disable or a hold']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const row = await getComputer(store, given.label);
      await enableComputer(store, row);
      say(`${row.label} is used again`);
      return 0;
    }),
});
