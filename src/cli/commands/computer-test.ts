import { getComputer } from '../../engine/computers.js';
import { onComputer } from '../../engine/control/on-computer.js';
import { printCheck } from '../check-text.js';
import { defineCommand, json } from '../command.js';
import { interruption } from '../interruption.js';
import { printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { label: { type: 'string', demandOption: true, describe: 'the computer' } },
  options: { json },
  examples: [['$0 daint', 'connection, shell, clock, directories, tools, transfers and batch system']],
  run: (given) =>
    withProfile(given, async (profile) => {
      const row = await getComputer(profile.store, given.label);
      using interrupted = interruption();
      const onCheck = given.json ? () => undefined : printCheck;
      const results = await onComputer(profile, row, { kind: 'test' }, interrupted.signal, onCheck);
      if (given.json) printJson(results);
      const failed = results.filter(({ ok }) => !ok);
      if (failed.length === 0) {
        say(`${row.label} can be used`);
        return 0;
      }
      say(`wherry: ${row.label} cannot be used yet: ${failed.map(({ name }) => name).join(', ')}`);
      return 1;
    }),
});
