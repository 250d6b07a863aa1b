import { kindOf } from '../../config/code.js';
import { type CodeView, codeView } from '../../engine/code-view.js';
import { listCodes } from '../../engine/codes.js';
import { defineCommand, json, text } from '../command.js';
import { formatTable } from '../table.js';
import { paint, print, printable, printJson, say, terminalWidth } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: {},
  options: { computer: text('only those on this computer'), json },
  examples: [['$0', 'all codes of the profile']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const codes = (await listCodes(store)).map(codeView);
      const views = codes.filter(({ config }) => given.computer === undefined || config.computer === given.computer);
      if (given.json) printJson(views);
      else if (views.length > 0) printTable(views);
      else say('there are no codes; add one with: wherry code add');
      return 0;
    }),
});

function printTable(views: readonly CodeView[]): void {
  const lines = formatTable<CodeView>(
    [
      { title: 'NAME', value: ({ name }) => name },
      { title: 'KIND', value: ({ config }) => kindOf(config) },
      { title: 'MPI', value: ({ config }) => (config.mpi === undefined ? '' : config.mpi ? 'yes' : 'no') },
      { title: 'EXECUTABLE', value: ({ config }) => printable(config.executable) },
      { title: 'DESCRIPTION', value: ({ config }) => printable(config.description) },
    ],
    views,
    { width: terminalWidth(process.stdout), header: paint.bold },
  );
  print(lines.join('\n'));
}
