import { getCode } from '../../engine/codes.js';
import { testPortableCode } from '../../engine/codes-test.js';
import { getComputer } from '../../engine/computers.js';
import { onComputer } from '../../engine/control/on-computer.js';
import { printCheck } from '../check-text.js';
import { defineCommand, json } from '../command.js';
import { interruption } from '../interruption.js';
import { printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { name: { type: 'string', demandOption: true, describe: 'the code' } },
  options: { json },
  examples: [['$0 pw@daint', 'is its executable on the computer, and may it be run?']],
  run: (given) =>
    withProfile(given, async (profile) => {
      const { store, repository } = profile;
      const code = await getCode(store, given.name);
      using interrupted = interruption();
      const results =
        code.config.computer === undefined
          ? await testPortableCode(code, repository)
          : await onComputer(
              profile,
              await getComputer(store, code.config.computer),
              { kind: 'code', codeId: code.row.id },
              interrupted.signal,
            );
      if (given.json) printJson(results);
      else results.forEach(printCheck);
      const good = results.every(({ ok }) => ok);
      say(good ? `${code.name} can be used` : `wherry: ${code.name} cannot be used yet`);
      return good ? 0 : 1;
    }),
});
