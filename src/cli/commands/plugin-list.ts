import type { ComputerConfig } from '../../config/computer.js';
import { listPlugins } from '../../config/plugins.js';
import { listComputers } from '../../engine/computers.js';
import type { Profile } from '../../engine/profile.js';
import { definitions } from '../../process/definition.js';
import { defineCommand, json } from '../command.js';
import { loadProcesses } from '../loaded-processes.js';
import { formatTable } from '../table.js';
import { paint, print, printable, printJson } from '../terminal.js';
import { withProfile } from '../with-profile.js';

interface PluginLine {
  readonly kind: string;
  readonly name: string;
  /** `built in`, `used by a computer`, or the module that defines a process. */
  readonly origin: string;
}

export const command = defineCommand({
  positionals: {},
  options: { json },
  examples: [['$0', 'schedulers and transports for a computer, and processes that can be run']],
  run: (given) =>
    withProfile(given, async (profile) => {
      const lines = [...(await plugins(profile)), ...(await processes(profile))];
      if (given.json) printJson(lines);
      else printTable(lines);
      return 0;
    }),
});

async function plugins({ store }: Profile): Promise<PluginLine[]> {
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
  return [...lines.values()];
}

async function processes(profile: Profile): Promise<PluginLine[]> {
  const moduleOf = await loadProcesses(profile);
  return definitions().map(({ kind, name }) => ({ kind, name, origin: moduleOf(name) ?? 'built in' }));
}

function printTable(lines: readonly PluginLine[]): void {
  const table = formatTable<PluginLine>(
    [
      { title: 'KIND', value: ({ kind }) => kind },
      { title: 'NAME', value: ({ name }) => printable(name) },
      { title: 'ORIGIN', value: ({ origin }) => printable(origin) },
    ],
    lines,
    { header: paint.bold },
  );
  print(table.join('\n'));
}
