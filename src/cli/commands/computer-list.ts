import { type ComputerView, computerView } from '../../engine/computer-view.js';
import { listComputers } from '../../engine/computers.js';
import { defineCommand, json } from '../command.js';
import { formatTable } from '../table.js';
import { paint, print, printable, printJson, terminalWidth } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: {},
  options: { json },
  examples: [['$0', 'all computers of the profile']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const views: ComputerView[] = [];
      for (const row of await listComputers(store)) views.push(await computerView(store, row));
      if (given.json) printJson(views);
      else printTable(views);
      return 0;
    }),
});

function printTable(views: readonly ComputerView[]): void {
  const lines = formatTable<ComputerView>(
    [
      { title: 'LABEL', value: ({ label }) => label },
      { title: 'TRANSPORT', value: ({ config }) => printable(config.transport) },
      { title: 'SCHEDULER', value: ({ config }) => printable(config.scheduler) },
      { title: 'LIVING', align: 'right', value: ({ living }) => String(living) },
      { title: 'STATE', value: stateOf, paint: (text, { hold }) => (hold === null ? text : paint.yellow(text)) },
      { title: 'WORK DIRECTORY', value: ({ config }) => printable(config.workDirectory) },
    ],
    views,
    { width: terminalWidth(process.stdout), header: paint.bold },
  );
  print(lines.join('\n'));
}

function stateOf({ hold, openAfter, driver, drainingSince }: ComputerView): string {
  if (hold !== null) return hold.code === 'disabled' ? hold.code : `held (${hold.code})`;
  if (drainingSince !== null) return 'draining';
  if (openAfter !== null) return 'unreachable';
  return driver === null ? '' : `driven by ${driver.pid}`;
}
