import { below, storedFiles } from '../../engine/process-files.js';
import type { Profile } from '../../engine/profile.js';
import type { ProcessRow } from '../../store/tables.js';
import { defineCommand, idPositional, json } from '../command.js';
import { computerOfFiles, fileRole, whichFiles } from '../file-arguments.js';
import { findProcess } from '../find-process.js';
import { interruption } from '../interruption.js';
import { nameOf } from '../process-text.js';
import { formatTable } from '../table.js';
import { paint, print, printable, printJson, say } from '../terminal.js';
import { withProfile } from '../with-profile.js';

export const command = defineCommand({
  positionals: { ...idPositional, path: { type: 'string', describe: 'a file or folder' } },
  options: { ...whichFiles, json },
  examples: [
    ['$0 3', 'what was brought back'],
    ['$0 3 --remote', 'what is in its directory on the computer'],
  ],
  run: (given) =>
    withProfile(given, async (profile) => {
      const row = await findProcess(profile.store, given.id);
      const role = fileRole(given);
      const entries =
        role === 'remote'
          ? await remoteEntries(profile, row, given.path)
          : (await storedFiles(profile.store, row.id, role, given.path)).map(({ path, size, sha256, mode }) => ({
              path,
              size: Number(size),
              mode,
              sha256,
            }));
      if (given.json) printJson(entries);
      else if (entries.length === 0)
        say(`${nameOf(row)} has no ${role === 'remote' ? 'files there' : role}${notYet(row)}`);
      else printTable(entries);
      return 0;
    }),
});

interface Entry {
  readonly path: string;
  readonly size: number;
  readonly type?: string;
}

function notYet(row: ProcessRow): string {
  return row.ended_at === null ? ' yet' : '';
}

function printTable(entries: readonly Entry[]): void {
  const lines = formatTable<Entry>(
    [
      { title: 'SIZE', align: 'right', value: ({ size }) => String(size) },
      { title: 'TYPE', value: ({ type }) => (type === undefined || type === 'file' ? '' : type) },
      { title: 'PATH', value: ({ path }) => printable(path) },
    ],
    entries,
    { header: paint.bold },
  );
  print(lines.join('\n'));
}

async function remoteEntries(profile: Profile, row: ProcessRow, asked: string | undefined): Promise<Entry[]> {
  const { onComputer } = await import('../../engine/control/on-computer.js');
  const computer = await computerOfFiles(profile.store, row);
  using interrupted = interruption();
  const found = await onComputer(profile, computer, { kind: 'list', processId: row.id }, interrupted.signal);
  return below(found, asked).filter(({ path }) => path !== '' && path !== '.');
}
