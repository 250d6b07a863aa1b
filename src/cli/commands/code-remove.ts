import { type Code, getCode, removeCode } from '../../engine/codes.js';
import { defineCommand } from '../command.js';
import { counted } from '../process-text.js';
import { say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { names: { type: 'string', array: true, demandOption: true, describe: 'the codes' } },
  options: {},
  examples: [['$0 pw@daint', 'forget it; jobs that were stored with it run all the same']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const codes: Code[] = [];
      for (const name of given.names) codes.push(await getCode(store, name));
      for (const code of codes) await removeCode(store, code);
      say(`${counted(codes.length, 'code')} removed; nothing on any computer was touched`);
      return 0;
    }),
});
