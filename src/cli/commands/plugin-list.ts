import type { ComputerConfig } from '../../config/computer.js';
import { listPlugins } from '../../config/plugins.js';
import { listComputers } from '../../engine/computers.js';
import { defineCommand, json } from '../command.js';
import { formatTable } from '../table.js';
import { paint, print, printable, printJson } from '../terminal.js';
import { withProfile } from '../with-profile.js';

interface PluginLine {
  readonly kind: string;
  readonly name: string;
  readonly origin: 'built in' | 'used by a computer';
}

export const command = defineCommand({
  positionals: {},
  options: { json },
  examples: [['$0', 'schedulers and transports that can be named in a computer']],
  run: (given) =>
    withProfile(given, async ({ store }) => {
      const lines = new Map<string, PluginLine>();
      for (const plugin of listPlugins()) lines.set(`${plugin.kind} ${plugin.name}`, { ...plugin, origin: 'built in' });
      for (const row of await listComputers(store)) {
        const { scheduler, transport } = JSON.parse(row.config) as ComputerConfig;
        for (const plugin of [
          { kind: 'scheduler', name: scheduler },
          { kind: 'transport', name: transport },
        ]) {
          const key = `${plugin.kind} ${plugin.name}`;
          if (!lines.has(key)) lines.set(key, { ...plugin, origin: 'used by a computer' });
        }
      }
      if (given.json) printJson([...lines.values()]);
      else printTable([...lines.values()]);
      return 0;
    }),
});

function printTable(lines: readonly PluginLine[]): void {
  const table = formatTable<PluginLine>(
    [
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'NAME', value: ({ name }) => printable(name) },
      { title: 'ORIGIN', value: ({ origin }) => origin },
    ],
    lines,
    { header: paint.bold },
  );
  print(table.join('\n'));
}
