import { writeCode } from '../../config/code-file.js';
import { codeView } from '../../engine/code-view.js';
import { getCode } from '../../engine/codes.js';
import { defineCommand, json } from '../command.js';
import { clock } from '../process-text.js';
import { print, printable, printableLines, printJson } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { name: { type: 'string', demandOption: true, describe: 'the code' } },
  options: { json },
  examples: [['$0 pw@daint', 'what it is, and what is sent with its jobs']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const view = codeView(await getCode(store, given.name));
      if (given.json) {
        printJson(view);
        return 0;
      }
      print(printableLines(writeCode(view.config)).trimEnd());
      print(`# ${view.kind}, added ${clock(view.createdAt)}`);
      for (const { path, size } of view.files) print(`# sends ${printable(path)} (${size} bytes)`);
      return 0;
    }),
});
