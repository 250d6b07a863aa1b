import { getComputer, removeComputer } from '../../engine/computers.js';
import { defineCommand } from '../command.js';
import { say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { label: { type: 'string', demandOption: true, describe: 'the computer' } },
  options: {},
  examples: [['$0 daint', 'forget a computer that no process belongs to']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const row = await getComputer(store, given.label);
      await removeComputer(store, row);
      say(`${row.label} is removed; nothing on the computer itself was touched`);
      return 0;
    }),
});
