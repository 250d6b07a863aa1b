import type { ComputerConfig } from '../../config/computer.js';
import { writeComputer } from '../../config/computer-file.js';
import { getComputer } from '../../engine/computers.js';
import { defineCommand } from '../command.js';
import { printRaw } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { label: { type: 'string', demandOption: true, describe: 'the computer' } },
  options: {},
  examples: [['$0 daint > daint.yaml', 'a file that `wherry computer add --file` reads']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const row = await getComputer(store, given.label);
      await printRaw(writeComputer(JSON.parse(row.config) as ComputerConfig));
      return 0;
    }),
});
